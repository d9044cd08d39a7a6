// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Apply Windows Settings: name, owner, product key, time zone, administrator, languages.

use super::element::Element;
use super::values::{Reader, Secret, SettingProblem};
use super::{Pass, Setting, Value};

const SHELL: &str = "Microsoft-Windows-Shell-Setup";
const INTERNATIONAL: &str = "Microsoft-Windows-International-Core";

/// What the step's variables say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WindowsSettings {
    /// `OSDComputerName`; `*` lets Setup make one.
    pub computer_name: Option<String>,
    /// `OSDProductKey`, as five groups of five.
    pub product_key: Option<Secret>,
    /// `OSDRegisteredUserName`.
    pub registered_owner: Option<String>,
    /// `OSDRegisteredOrgName`.
    pub registered_organization: Option<String>,
    /// `OSDTimeZone`, by its name in the registry.
    pub time_zone: Option<String>,
    /// `OSDRandomAdminPassword` and `OSDLocalAdminPassword`.
    pub administrator: Administrator,
    /// `OSDWindowsSettings*`, by the name of their element.
    pub locales: Vec<(&'static str, String)>,
    /// What was asked for and has no place in an answer file.
    pub notes: Vec<String>,
}

/// What becomes of the local administrator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Administrator {
    /// What the user's answer file and the image say.
    #[default]
    Unchanged,
    /// Gets a random password and must be disabled after the first start, which no answer file can do.
    Disabled {
        /// The random password.
        password: Secret,
    },
    /// Is enabled and gets this password.
    Enabled {
        /// The same on all computers, or one for each: the variable says.
        password: Secret,
    },
}

impl WindowsSettings {
    /// From the variables of the step; `random_password` is asked for one if it is needed.
    pub fn from_variables(
        get: &dyn Fn(&str) -> Option<String>,
        random_password: impl FnOnce() -> String,
    ) -> Result<Self, Vec<SettingProblem>> {
        let mut reader = Reader::new(get);
        let administrator = administrator(&mut reader, random_password);
        let settings = Self {
            computer_name: reader.parsed("OSDComputerName", COMPUTER_NAME, computer_name),
            product_key: product_key_of(&mut reader),
            registered_owner: reader.text("OSDRegisteredUserName", 255),
            registered_organization: reader.text("OSDRegisteredOrgName", 255),
            time_zone: reader.text("OSDTimeZone", 255),
            administrator,
            locales: LOCALES
                .iter()
                .filter_map(|name| Some((*name, reader.text(&format!("OSDWindowsSettings{name}"), 255)?)))
                .collect(),
            notes: licensing(&mut reader),
        };
        if reader.problems.is_empty() { Ok(settings) } else { Err(reader.problems) }
    }

    pub(super) fn settings(&self) -> Vec<Setting> {
        let shell = [
            ("ComputerName", self.computer_name.clone().map(Value::Text)),
            ("ProductKey", self.product_key.clone().map(|key| Value::Secret(key.0))),
            ("RegisteredOwner", self.registered_owner.clone().map(Value::Text)),
            ("RegisteredOrganization", self.registered_organization.clone().map(Value::Text)),
            ("TimeZone", self.time_zone.clone().map(Value::Text)),
        ];
        let mut settings = Vec::new();
        for (name, value) in shell {
            let Some(value) = value else { continue };
            // A later pass must not take back what an earlier one set.
            let again = match (&value, name) {
                (Value::Text(text), "RegisteredOwner" | "RegisteredOrganization" | "TimeZone") => {
                    Some(Value::TextIfThere(text.clone()))
                }
                _ => None,
            };
            let place = |pass, value| Setting { pass, component: SHELL, path: vec![name], value };
            settings.push(place(Pass::Specialize, value));
            settings.extend(again.map(|value| place(Pass::OobeSystem, value)));
        }
        if let Administrator::Disabled { password } | Administrator::Enabled { password } = &self.administrator {
            let at = |path, value| Setting { pass: Pass::OobeSystem, component: SHELL, path, value };
            let account = ["UserAccounts", "AdministratorPassword"];
            let plain = Value::Elements(vec![Element::text("Value", ""), Element::text("PlainText", "true")]);
            settings.push(at(account.to_vec(), plain));
            settings.push(at([&account[..], &["Value"]].concat(), Value::Secret(password.0.clone())));
        }
        let locales = self.locales.iter().map(|(name, value)| Setting {
            pass: Pass::OobeSystem,
            component: INTERNATIONAL,
            path: vec![*name],
            value: Value::Text(value.clone()),
        });
        settings.extend(locales);
        settings
    }
}

const LOCALES: [&str; 5] = ["InputLocale", "SystemLocale", "UILanguage", "UILanguageFallback", "UserLocale"];

fn administrator(reader: &mut Reader<'_>, random_password: impl FnOnce() -> String) -> Administrator {
    let is_random = reader.flag("OSDRandomAdminPassword");
    let password = reader.secret("OSDLocalAdminPassword", 255);
    match (is_random, password) {
        // The password is ignored then, as documented.
        (Some(true), _) => Administrator::Disabled { password: Secret(random_password()) },
        (_, Some(password)) => Administrator::Enabled { password },
        (Some(false), None) => {
            if !reader.problems.iter().any(|problem| problem.variable == "OSDLocalAdminPassword") {
                reader.note("OSDLocalAdminPassword", "a password, for OSDRandomAdminPassword is false", "none");
            }
            Administrator::Unchanged
        }
        (None, None) => Administrator::Unchanged,
    }
}

const COMPUTER_NAME: &str = "1 to 15 letters, digits and hyphens, not digits alone, or *";

/// NetBIOS takes more, but Setup refuses what DNS does not know.
fn computer_name(text: &str) -> Option<String> {
    let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let is_name = text.chars().count() <= 15
        && text.chars().all(is_allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.bytes().all(|byte| byte.is_ascii_digit());
    (is_name || text == "*").then(|| text.to_owned())
}

/// Five groups of five, with or without hyphens, in any case of letters.
fn product_key(text: &str) -> Option<Secret> {
    // Letters and digits that keys are made of; N since Windows 8.
    const LETTERS: &str = "BCDFGHJKMNPQRTVWXY2346789";
    let letters: String = text.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| c.to_ascii_uppercase()).collect();
    if letters.chars().count() != 25 || !letters.chars().all(|c| LETTERS.contains(c)) {
        return None;
    }
    let groups: Vec<&str> = (0..5).map(|at| &letters[5 * at..5 * at + 5]).collect();
    Some(Secret(groups.join("-")))
}

/// Nothing of the key is said.
fn product_key_of(reader: &mut Reader<'_>) -> Option<Secret> {
    let text = reader.secret("OSDProductKey", 255)?;
    let key = product_key(text.0.trim());
    if key.is_none() && !text.0.trim().is_empty() {
        let expected = "five groups of five letters and digits (XXXXX-XXXXX-XXXXX-XXXXX-XXXXX)";
        reader.note("OSDProductKey", expected, format!("{} other characters", text.0.chars().count()));
    }
    key
}

/// Checked, and then said to have no place: licensing modes ended with Windows Server 2003.
fn licensing(reader: &mut Reader<'_>) -> Vec<String> {
    let mode = reader.parsed("OSDServerLicenseMode", "PerSeat or PerServer", |text| {
        ["PerSeat", "PerServer"].into_iter().find(|mode| mode.eq_ignore_ascii_case(text))
    });
    let limit = reader.parsed("OSDServerLicenseConnectionLimit", "a number from 5 to 9999", |text| {
        text.parse::<u32>().ok().filter(|limit| (5..=9999).contains(limit))
    });
    if mode.is_none() && limit.is_none() {
        return Vec::new();
    }
    vec!["OSDServerLicenseMode: left out, Windows has had no such setting since Windows Server 2008".to_owned()]
}
