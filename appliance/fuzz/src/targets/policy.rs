// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Policies of media, in clear.

use platen_media::policy::DeploymentPolicy;

use crate::Answer;

const SAMPLE: &str = r#"{
  "media_id": "PLT00001",
  "revision": 1,
  "task_sequence": {"name": "Bare metal", "nodes": []},
  "variables": [{"name": "OSDTimeZone", "value": "Korea Standard Time", "secret": false},
                {"name": "OSDLocalAdminPassword", "value": "insecure", "secret": true}],
  "prestart": {"command": "ask.cmd", "files": "platen/content/prestart"},
  "operating_system_image": {"id": "PLTOS001", "path": "platen/content/PLTOS001/install.wim", "index": 1, "parts": 1},
  "driver_packages": [],
  "applications": [{"id": "EDITOR", "name": "Editor", "version": "3", "folder": "platen/content/EDITOR", "install": "setup.exe /S"}],
  "packages": []
}"#;

pub(super) fn samples() -> Vec<Vec<u8>> {
    vec![SAMPLE.as_bytes().to_vec()]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let Ok(policy) = DeploymentPolicy::from_json(bytes) else { return Answer::Refused };
    let written = policy.to_json();
    assert_eq!(DeploymentPolicy::from_json(&written).unwrap(), policy, "what is written is read as the same");
    let shown = format!("{policy:?}");
    for secret in policy.variables.iter().filter(|variable| variable.secret && variable.value.len() >= 8) {
        let elsewhere = policy.variables.iter().any(|other| !other.secret && other.value.contains(&secret.value));
        let value = format!("{:?}", secret.value);
        let is_shown = shown.contains(&format!("{}={value}", secret.name));
        assert!(elsewhere || !is_shown, "a secret is shown");
    }
    Answer::Accepted
}
