// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The policy of a medium: its task sequence, variables, and where its contents stand.

use platen_media::manifest::ContentKind;
use platen_media::policy::{
    DeploymentPolicy, DriverPackage, MAX_POLICY_BYTES, OperatingSystemImage, Prestart, SCHEMA, Software,
};
use platen_media::spec::{ApplicationSpec, ContentSpec, MediaSpec};
use platen_media::{MediaPath, envelope};

use crate::AuthorError;
use crate::content::item::{CONTENT_FOLDER, Item, PRESTART_FOLDER, Planned};
use crate::definition::Definition;

/// The policy as a content of its own, encrypted when there is a password.
pub(crate) fn policy(definition: &Definition, system_files: &[MediaPath]) -> Result<Option<Planned>, AuthorError> {
    let Some(sequence) = &definition.sequence else { return Ok(None) };
    let spec = &definition.spec;
    let place = |text: &str| MediaPath::new(text).expect("made of ids, which were checked");
    let folder = |content: &ContentSpec| place(&format!("{CONTENT_FOLDER}/{}", content.id));
    let software = |content: &ContentSpec, install: &Option<String>| Software {
        id: content.id.clone(),
        name: content.name.clone(),
        version: content.version.clone(),
        folder: folder(content),
        install: install.clone(),
        depends_on: Vec::new(),
    };
    let system = spec.operating_system_image.as_ref().zip(system_files.first());
    let policy = DeploymentPolicy {
        schema: SCHEMA,
        media_id: spec.id.clone(),
        revision: spec.revision,
        task_sequence: sequence.to_json(),
        variables: definition.variables.clone(),
        prestart: spec.prestart.as_ref().map(|prestart| Prestart {
            command: prestart.command.clone(),
            files: prestart.path.as_ref().map(|_| place(PRESTART_FOLDER)),
        }),
        operating_system_image: system.map(|(image, first)| OperatingSystemImage {
            id: image.content.id.clone(),
            path: first.clone(),
            index: image.index,
            parts: u32::try_from(system_files.len()).expect("fewer parts than a WIM can have"),
        }),
        driver_packages: spec
            .driver_packages
            .iter()
            .map(|content| DriverPackage {
                id: content.id.clone(),
                name: content.name.clone(),
                version: content.version.clone(),
                folder: folder(content),
            })
            .collect(),
        applications: applications(spec, software),
        packages: spec
            .packages
            .iter()
            .map(|package| software(&package.content, &package.install))
            .chain(spec.upgrade_packages.iter().map(|package| software(package, &None)))
            .collect(),
        target_disk: spec.target_disk.clone(),
    };
    let (path, bytes) = match &definition.password {
        None => (envelope::POLICY_CLEAR, policy.to_json()),
        Some(password) => (envelope::POLICY_ENCRYPTED, policy.encrypt(password).map_err(AuthorError::Encrypt)?),
    };
    if bytes.len() as u64 > MAX_POLICY_BYTES {
        let found = bytes.len();
        let text =
            format!("policy: expected at most {MAX_POLICY_BYTES} bytes of task sequence and variables, found {found}");
        return Err(AuthorError::Contents { problems: vec![text] });
    }
    Ok(Some(Planned {
        id: "policy".into(),
        kind: ContentKind::Policy,
        name: "Policy".into(),
        version: String::new(),
        items: vec![Item::Bytes { place: place(path), bytes }],
        folders: Vec::new(),
        slices: Vec::new(),
    }))
}

/// In installation order. What an application depends on may have been replaced by another, or be left to the target.
fn applications(spec: &MediaSpec, software: impl Fn(&ContentSpec, &Option<String>) -> Software) -> Vec<Software> {
    let resolved = spec.applications_in_order();
    let ids: Vec<&str> = resolved.in_order.iter().map(|application| &*application.content.id).collect();
    let depends_on = |application: &ApplicationSpec| -> Vec<String> {
        let named = application.depends_on.iter().map(|id| resolved.superseded.get(id).unwrap_or(id));
        named.filter(|id| ids.contains(&&***id)).cloned().collect()
    };
    let of = |application: &&ApplicationSpec| Software {
        depends_on: depends_on(application),
        ..software(&application.content, &application.install)
    };
    resolved.in_order.iter().map(of).collect()
}
