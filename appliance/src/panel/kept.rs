// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What was chosen at the panel, kept from one start to the next: `panel.json` in the folder of the station's state.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use platen_media::stored::{self, Stored, StoredError, first_schema};
use platen_station::replace;
use platen_ui::Settings;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const FILE: &str = "panel.json";
/// A longer file is not ours.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// The file.
#[derive(Default, Serialize, Deserialize)]
struct Document {
    #[serde(default = "first_schema")]
    schema: u32,
    settings: Settings,
    /// What a later version of Platen added, kept for it.
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Stored for Document {
    const SCHEMA: u32 = 1;

    fn schema(&self) -> u32 {
        self.schema
    }
}

/// The settings of the panel, and where they are kept.
pub(super) struct Kept {
    /// None: a newer version of Platen keeps its own there.
    path: Option<PathBuf>,
    document: Document,
}

impl Kept {
    /// Whatever is in the folder, a panel is shown: it is what the station is put right with.
    pub(super) fn load(state: &Path) -> Self {
        let path = state.join(FILE);
        let (document, path) = match read(&path) {
            Ok(document) => (document, Some(path)),
            Err(error @ StoredError::Newer(_)) => {
                tracing::warn!("{}: {error}; what is chosen at the panel is not kept", path.display());
                (Document::default(), None)
            }
            Err(error) => {
                tracing::warn!("{}: {}; the panel begins without it", path.display(), platen_media::chain(&error));
                (Document::default(), Some(path))
            }
        };
        Self { path, document: Document { schema: Document::SCHEMA, ..document } }
    }

    pub(super) fn settings(&self) -> Settings {
        self.document.settings
    }

    /// These hold from now on.
    pub(super) fn keep(&mut self, settings: Settings) {
        self.document.settings = settings;
        let Some(path) = &self.path else { return };
        let bytes = serde_json::to_vec_pretty(&self.document).expect("words and numbers become JSON");
        if let Err(error) = replace(path, &bytes, 0o600) {
            tracing::warn!("{}: what was chosen at the panel can't be kept: {error}", path.display());
        }
    }
}

/// Nothing was chosen yet where there is no file.
fn read(path: &Path) -> Result<Document, StoredError> {
    let unread = |error| StoredError::Syntax(serde_json::Error::io(error));
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Document::default()),
        Err(error) => Err(unread(error)),
        Ok(file) => {
            let bytes = platen_media::read_at_most(file, MAX_FILE_BYTES).map_err(unread)?;
            stored::read(&bytes.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use platen_ui::{Language, Sound};

    use super::*;

    const CHOSEN: Settings =
        Settings { language: Language::Korean, brightness: 60, sound: Sound::Off, is_mirrored: true };

    #[test]
    fn what_was_chosen_is_there_at_the_next_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut kept = Kept::load(folder.path());
        assert_eq!(kept.settings(), Settings::default(), "nothing was chosen yet");
        kept.keep(CHOSEN);
        assert_eq!(Kept::load(folder.path()).settings(), CHOSEN);
    }

    /// `tests/formats/make` has the samples made here.
    #[test]
    fn what_every_release_kept_is_read() {
        let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats");
        if let Some(release) = std::env::var_os("PLATEN_WRITE_FORMATS") {
            Kept::load(&Path::new(&release).join("station")).keep(CHOSEN);
        }
        let mut count = 0;
        for release in fs::read_dir(formats).expect("lists").map(|entry| entry.expect("lists").path()) {
            if release.is_dir() {
                assert_eq!(Kept::load(&release.join("station")).settings(), CHOSEN, "{}", release.display());
                count += 1;
            }
        }
        assert!(count > 0, "no sample is there");
    }

    #[test]
    fn damage_costs_the_settings_and_a_newer_file_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        for broken in ["", "{", "[]", "{\"settings\":{\"brightness\":900}}"] {
            fs::write(&path, broken).expect("writes");
            let mut kept = Kept::load(folder.path());
            assert_eq!(kept.settings(), Settings::default(), "{broken}");
            kept.keep(CHOSEN);
            assert_eq!(Kept::load(folder.path()).settings(), CHOSEN, "{broken}");
        }
        let newer = "{\"schema\": 2, \"everything\": \"else\"}";
        fs::write(&path, newer).expect("writes");
        Kept::load(folder.path()).keep(CHOSEN);
        assert_eq!(fs::read_to_string(&path).expect("reads"), newer);
    }

    #[test]
    fn fields_of_a_newer_release_are_kept_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let longer = r#"{"schema":1,"settings":{"language":"ko","theme":"x"},"added":{"a":1}}"#;
        fs::write(&path, longer).expect("writes");
        let mut kept = Kept::load(folder.path());
        assert_eq!(kept.settings(), Settings { language: Language::Korean, ..Settings::default() });
        kept.keep(CHOSEN);
        assert!(fs::read_to_string(&path).expect("reads").contains("\"added\""));
    }
}
