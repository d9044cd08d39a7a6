// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! For which Windows a list of models is: `NTamd64.10.0...16299` ("INF Manufacturer section").

use crate::{Architecture, System};

/// A `TargetOSVersion`. What it does not say it does not ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decoration {
    /// Without one the list is for x86: since Windows Server 2003 SP1 all others must be named.
    pub architecture: Option<Architecture>,
    /// The oldest major and minor version.
    pub version: Option<(u32, u32)>,
    /// `VER_NT_*`.
    pub product: Option<u32>,
    /// Bits of `VER_SUITE_*`, all of which the system must have.
    pub suite_mask: Option<u32>,
    /// The oldest build of just that version.
    pub build: Option<u32>,
}

impl Decoration {
    /// Reads `NT[architecture][.[major][.[minor][.[product][.[suite][.[build]]]]]]`; none for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.trim().split('.');
        let first = fields.next()?;
        let architecture = match (first.get(..2), first.get(2..)) {
            (Some(nt), Some("")) if nt.eq_ignore_ascii_case("nt") => None,
            (Some(nt), Some(name)) if nt.eq_ignore_ascii_case("nt") => Some(Architecture::from_name(name)?),
            _ => return None,
        };
        let mut numbers = [None; 5];
        for (at, field) in fields.enumerate() {
            let number = numbers.get_mut(at)?;
            *number = if field.is_empty() { None } else { Some(self::number(field)?) };
        }
        let [major, minor, product, suite_mask, build] = numbers;
        let version = major.map(|major| (major, minor.unwrap_or(0)));
        Some(Self { architecture, version, product, suite_mask, build })
    }

    /// Whether the list is for that system.
    pub fn fits(&self, system: &System) -> bool {
        let is = (system.major, system.minor);
        let version_fits = self.version.is_none_or(|oldest| match oldest.cmp(&is) {
            std::cmp::Ordering::Less => true,
            // A build counts for its own version only.
            std::cmp::Ordering::Equal => self.build.is_none_or(|build| build <= system.build),
            std::cmp::Ordering::Greater => false,
        });
        self.architecture.unwrap_or(Architecture::X86) == system.architecture
            && version_fits
            && self.product.is_none_or(|product| product == system.product as u32)
            && self.suite_mask.is_none_or(|mask| system.suite_mask & mask == mask)
    }

    /// Of two that fit, the greater is closer: the version first, then product and suites, the architecture last.
    pub(crate) fn closeness(&self) -> impl Ord + use<> {
        let build = self.version.and(self.build);
        (self.version, build, self.product.is_some(), self.suite_mask, self.architecture.is_some())
    }
}

/// Decimal, or hexadecimal after `0x`.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.trim() {
        text if text.starts_with("0x") || text.starts_with("0X") => u32::from_str_radix(&text[2..], 16).ok(),
        text => text.parse().ok(),
    }
}
