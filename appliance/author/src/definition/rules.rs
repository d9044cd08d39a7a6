// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The rules for task sequences, with what is on the medium; and rules for the definition itself.

use platen_media::Timestamp;
use platen_media::keyboard::Keyboard;
use platen_media::spec::{ALLOWABLE, MediaSpec, ValueSource};
use platen_media::text;
use platen_sequence::lint::{ImageFacts, check_variable, find_secrets, holds_secret, names_secret};
use platen_sequence::{Finding, LintContext, Severity, lint};

use crate::definition::Definition;

/// Passwords below this many characters are guessed even when guessing is slow.
const GOOD_PASSWORD: usize = 12;

/// What is known of the images when the rules are looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Architectures {
    pub(crate) boot_image: Option<String>,
    pub(crate) operating_system_image: Option<String>,
}

/// Everything that is against a rule at this time; the definition's first, then `of_contents`.
pub(crate) fn check(
    definition: &Definition,
    architectures: Architectures,
    of_contents: Vec<Finding>,
    now: Timestamp,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    own(definition, now, &mut findings);
    findings.extend(of_contents.into_iter().map(|finding| allowed(finding, &definition.spec.allow)));
    if let Some(sequence) = &definition.sequence {
        let context = context(definition, architectures);
        findings.extend(lint(sequence, &context));
    }
    findings
}

/// What the author knows and wants all the same is said, and does not stop the build.
fn allowed(finding: Finding, allow: &[String]) -> Finding {
    let Finding { rule, text, .. } = &finding;
    if allow.iter().any(|allowed| allowed == rule) {
        let text = format!("{text}; allowed by the definition");
        return Finding { severity: Severity::Warning, text, ..finding };
    }
    let hint = if ALLOWABLE.contains(rule) { format!(" (or write allow = [{rule:?}])") } else { String::new() };
    Finding { text: format!("{text}{hint}"), ..finding }
}

fn context(definition: &Definition, architectures: Architectures) -> LintContext {
    let spec = &definition.spec;
    let applications = spec.applications_in_order();
    let system = spec.operating_system_image.as_ref();
    LintContext {
        boot_image: spec
            .boot_image
            .as_ref()
            .map(|image| ImageFacts { id: image.id.clone(), architecture: architectures.boot_image }),
        operating_system_image: system.map(|image| ImageFacts {
            id: image.content.id.clone(),
            architecture: architectures.operating_system_image,
        }),
        operating_system_index: system.map(|image| image.index),
        driver_packages: spec.driver_packages.iter().map(|it| it.id.clone()).collect(),
        applications: applications.in_order.iter().map(|it| it.content.id.clone()).collect(),
        superseded: applications.superseded,
        packages: spec.packages.iter().map(|it| it.content.id.clone()).collect(),
        upgrade_packages: spec.upgrade_packages.iter().map(|it| it.id.clone()).collect(),
        dependencies: spec.applications.iter().flat_map(|it| it.depends_on.clone()).collect(),
        media_variables: spec.variables.iter().map(|it| it.name.clone()).collect(),
        policy_is_encrypted: definition.password.is_some(),
    }
}

/// Whether a text of the definition must not be shown because something in it looks like a secret.
pub(crate) fn shows_secret(text: &str) -> bool {
    !find_secrets(text).is_empty()
}

/// Whether a variable's value must not be shown.
pub(crate) fn is_secret(variable: &platen_media::policy::MediaVariable) -> bool {
    variable.secret || names_secret(&variable.name) || shows_secret(&variable.value)
}

fn own(definition: &Definition, now: Timestamp, findings: &mut Vec<Finding>) {
    let spec = &definition.spec;
    let mut note = |rule, severity, place: &str, text: String| {
        findings.push(Finding { rule, severity, place: place.to_owned(), text, fix: None });
    };
    let literal = match definition.password {
        Some(_) => Severity::Warning,
        None => Severity::Error,
    };
    for (variable, value) in spec.variables.iter().zip(&definition.variables) {
        let place = format!("variable {}", variable.name);
        let looks_secret = holds_secret(&variable.name, &value.value) || shows_secret(&value.value);
        if !variable.secret && looks_secret {
            let text = "holds what looks like a secret; write secret = true, and give the medium a password";
            note("SA-55", literal, &place, text.into());
        }
        // Secrets are not quoted.
        if !variable.secret
            && let Some(Finding { rule, severity, text, .. }) = check_variable(&place, &variable.name, &value.value)
        {
            note(rule, severity, &place, text);
        }
        if variable.secret && matches!(variable.value, ValueSource::Inline(_)) {
            let text = "the secret stands in the definition itself; use value-file or value-env";
            note("DEF-SECRET", Severity::Warning, &place, text.into());
        }
    }
    let values = definition.variables.iter().map(|it| (format!("variable {}", it.name), &it.value));
    let secrets = definition.password.iter().map(|password| ("password".to_owned(), password));
    for (place, text) in secrets.chain(values) {
        if let Some(invisible) = text::invisible(text) {
            note("DEF-INVISIBLE", Severity::Warning, &place, format!("{invisible}; take it out unless it is meant"));
        }
    }
    for (place, command) in commands(spec) {
        for hint in find_secrets(command) {
            let text =
                format!("the command has {hint}; put it in a [[variable]] with secret = true and write %NAME% here");
            note("SA-55", literal, &place, text);
        }
    }
    if let Some(until) = spec.validity.until
        && until.latest() < now
    {
        note("DEF-EXPIRED", Severity::Warning, "valid-until", format!("{until} is over; no station will write it"));
    }
    if let (Some(until), Some(created)) = (spec.validity.until, spec.created)
        && until.latest() < created
    {
        let text = format!("{until} is before created ({created}); the medium is never valid");
        note("DEF-EXPIRED", Severity::Warning, "valid-until", text);
    }
    if let Some(password) = &definition.password
        && password.chars().count() < GOOD_PASSWORD
    {
        let text = format!("fewer than {GOOD_PASSWORD} characters; use a longer password");
        note("DEF-PASSWORD", Severity::Warning, "password", text);
    }
    if let Some(password) = &definition.password
        && let Some(place) = spec.keyboard.first_untypable(password)
    {
        let others: Vec<String> = Keyboard::ALL
            .iter()
            .filter(|keyboard| keyboard.first_untypable(password).is_none())
            .map(|keyboard| format!("keyboard = \"{keyboard}\""))
            .collect();
        let here = format!("character {place} of {} can't be typed", password.chars().count());
        match others.first() {
            Some(other) => {
                let text =
                    format!("{here} with the keyboard \"{}\" at the computer's prompt; write {other}", spec.keyboard);
                note("DEF-KEYBOARD", Severity::Warning, "password", text);
            }
            None => {
                let text = format!("{here} with any keyboard at the computer's prompt; use another password");
                note("DEF-KEYBOARD", Severity::Warning, "password", text);
            }
        }
    }
    for variable in definition.variables.iter().filter(|variable| spec.unattended && variable.value.is_empty()) {
        let text = "has no value, and unattended media ask nobody; give it one, or let the prestart command set it";
        note("DEF-UNATTENDED", Severity::Warning, &format!("variable {}", variable.name), text.into());
    }
    for application in &spec.applications {
        for id in application.supersedes.iter().filter(|id| spec.applications.iter().all(|it| it.content.id != **id)) {
            let text = format!("supersedes {id}, which is not in the definition; is it written right?");
            note("DEF-SUPERSEDES", Severity::Warning, &format!("application {}", application.content.id), text);
        }
    }
    for (application, wanted) in spec.applications_in_order().left_out {
        let text = format!("depends on {wanted}, which is not on the medium; it must be on the computer already");
        note("DEF-DEPENDENCY", Severity::Warning, &format!("application {application}"), text);
    }
}

fn commands(spec: &MediaSpec) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    found.extend(spec.prestart.iter().map(|it| ("prestart".to_owned(), &*it.command)));
    for application in &spec.applications {
        found.extend(application.install.iter().map(|it| (format!("application {}", application.content.id), &**it)));
    }
    for package in &spec.packages {
        found.extend(package.install.iter().map(|it| (format!("package {}", package.content.id), &**it)));
    }
    found
}
