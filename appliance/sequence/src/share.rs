// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a deployment share of MDT says beside its sequences: names of its operating systems and applications, and the
//! variables of `CustomSettings.ini`.

use std::collections::BTreeMap;

use crate::import::decode;
use crate::limits;
use crate::lint::names_secret;
use crate::read::{ORGANISATION, child_named, parse};
use crate::{NamedReference, SequenceError};

/// Reads `OperatingSystems.xml` or `Applications.xml`: every entry has a GUID and a name.
pub fn share_list(bytes: &[u8]) -> Result<BTreeMap<String, NamedReference>, SequenceError> {
    let text = decode(bytes)?;
    let document = parse(&text)?;
    let root = document.root_element();
    // 257 is an image, 512 an application, as exports of Configuration Manager number them.
    let package_type = if root.has_tag_name("oss") { "257" } else { "512" };
    let mut found = BTreeMap::new();
    for entry in root.children().filter(roxmltree::Node::is_element) {
        let Some(id) = entry.attribute("guid").filter(|id| !id.is_empty()) else { continue };
        let value = |name| child_named(entry, name).and_then(|node| node.text()).unwrap_or_default().trim().to_owned();
        let named = NamedReference {
            id: id.to_owned(),
            name: value("Name"),
            version: value("Version"),
            package_type: package_type.to_owned(),
        };
        found.insert(id.to_owned(), named);
    }
    Ok(found)
}

/// What `CustomSettings.ini` sets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShareVariables {
    /// Names and values that the section `[Default]` sets, in its order. Secrets are left empty: they are asked for, or
    /// given by the definition from elsewhere.
    pub taken: Vec<(String, String)>,
    /// What was not taken, for people: other sections, which MDT chooses among on the computer, and what can't be a variable.
    pub left: Vec<String>,
}

/// Reads `CustomSettings.ini`.
pub fn share_variables(bytes: &[u8]) -> Result<ShareVariables, SequenceError> {
    let text = decode(bytes)?;
    let mut in_default = false;
    let mut found = ShareVariables::default();
    for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
        if line.starts_with('[') {
            in_default = line.eq_ignore_ascii_case("[default]");
            if !in_default && !line.eq_ignore_ascii_case("[settings]") && found.left.len() < limits::MAX_VARIABLES {
                found.left.push(format!("section {}", line.chars().take(limits::MAX_NAME).collect::<String>()));
            }
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| in_default && !line.starts_with(';')) else {
            continue;
        };
        let (mut name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case(ORGANISATION.0) {
            name = ORGANISATION.1;
        }
        let is_new = !found.taken.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        if !is_new {
            continue;
        }
        if limits::variable_name(name).is_ok()
            && limits::value(value).is_ok()
            && found.taken.len() < limits::MAX_VARIABLES
        {
            let value = if names_secret(name) { "" } else { value };
            found.taken.push((name.to_owned(), value.to_owned()));
        } else if found.left.len() < limits::MAX_VARIABLES {
            found.left.push(format!("variable {}", name.chars().take(limits::MAX_NAME).collect::<String>()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_share_are_read() {
        let xml =
            "<oss><os guid=\"{A}\"><Name>Windows 11</Name><ImageIndex>1</ImageIndex></os><os><Name>x</Name></os></oss>";
        let list = share_list(xml.as_bytes()).expect("a list");
        assert_eq!((list.len(), &*list["{A}"].name, &*list["{A}"].package_type), (1, "Windows 11", "257"));
        let xml = "<applications><application guid=\"{B}\"><Name>Editor</Name><Version>3</Version></application></applications>";
        let list = share_list(xml.as_bytes()).expect("a list");
        assert_eq!((&*list["{B}"].version, &*list["{B}"].package_type), ("3", "512"));
        let error = share_list(b"<oss>").expect_err("not well-formed");
        assert!(matches!(error, SequenceError::Xml(_)), "{error}");
    }

    #[test]
    fn rules_of_a_share_become_variables_without_their_secrets() {
        let ini = "[Settings]\r\nPriority=Default\r\n[Default]\r\n;Off=1\r\nOSInstall=Y\r\nAdminPassword=hunter2\r\n\
                   bad name=1\r\n_SMSTSOrgName=x\r\nosinstall=N\r\n[Laptop]\r\nA=1\r\n";
        let variables = share_variables(ini.as_bytes()).expect("a file");
        // FriendsOfMDT/PSD #147: what people set there although its name is built in.
        let expected = [("OSInstall", "Y"), ("AdminPassword", ""), ("OSDRegisteredOrgName", "x")];
        assert_eq!(variables.taken, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        // FriendsOfMDT/PSD #9, #86 and #233: sections that MDT chooses among on the computer.
        assert_eq!(variables.left, ["variable bad name", "section [Laptop]"]);
    }
}
