// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Task sequences as files, in every form they come in.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use platen_media::read_at_most;
use platen_sequence::{
    Export, Imported, NamedReference, SequenceError, ShareVariables, TaskSequence, share_list, share_variables,
};
use platen_station::{Exit, Failure};

/// An export with its archive's limit, and the byte that is too many.
const MAX_FILE_BYTES: u64 = 33 << 20;

/// What came in, with what its source says beside it.
pub struct Source {
    pub imported: Imported,
    pub names: BTreeMap<String, NamedReference>,
    /// Of a deployment share.
    pub variables: ShareVariables,
}

fn machine(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("{}: {error}", path.display()))
}

fn request(path: &Path, text: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Request, format!("{}: {text}", path.display()))
}

fn wrong(path: &Path, error: SequenceError) -> Failure {
    let causes = platen_media::chain(&error);
    request(path, causes)
}

fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => request(path, "expected a file, found none"),
        _ => machine(path, error),
    };
    // Before it is opened: opening a pipe would wait for ever.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(request(path, "expected a file, found something that is none"));
    }
    let read = read_at_most(File::open(path).map_err(unreadable)?, MAX_FILE_BYTES).map_err(unreadable)?;
    read.ok_or_else(|| request(path, format_args!("expected at most {MAX_FILE_BYTES} bytes, found more")))
}

/// Anything that another program exported.
pub fn source(path: &Path) -> Result<Source, Failure> {
    let path = &in_share(path)?;
    let bytes = bytes(path)?;
    let failed = |error| wrong(path, error);
    if Export::is_one(&bytes) {
        let export = Export::from_bytes(&bytes).map_err(failed)?;
        let names = export.references.clone();
        return Ok(Source {
            imported: export.into_one().map_err(failed)?,
            names,
            variables: ShareVariables::default(),
        });
    }
    let imported = Imported::from_bytes(&bytes).map_err(failed)?;
    let mut source = Source { imported, names: BTreeMap::new(), variables: ShareVariables::default() };
    beside(path, &mut source)?;
    Ok(source)
}

/// The sequence of a deployment share that has one; any other path as it is.
fn in_share(path: &Path) -> Result<PathBuf, Failure> {
    let control = path.join("Control");
    if !control.is_dir() {
        return Ok(path.to_owned());
    }
    let entries = fs::read_dir(&control).map_err(|error| machine(&control, error))?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join("ts.xml")).collect();
    found.retain(|path| path.is_file());
    found.sort();
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => Err(request(path, "expected a deployment share with Control/ID/ts.xml, found no sequence in it")),
        several => {
            let list = several.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
            Err(request(path, format_args!("the share has several sequences; give one of {list}")))
        }
    }
}

/// What stands beside `Control/ID/ts.xml`.
fn beside(path: &Path, source: &mut Source) -> Result<(), Failure> {
    let Some(folder) = path.parent().and_then(Path::parent).filter(|folder| folder.ends_with("Control")) else {
        return Ok(());
    };
    for name in ["OperatingSystems.xml", "Applications.xml"] {
        let path = folder.join(name);
        if path.is_file() {
            source.names.extend(share_list(&bytes(&path)?).map_err(|error| wrong(&path, error))?);
        }
    }
    let path = folder.join("CustomSettings.ini");
    if path.is_file() {
        source.variables = share_variables(&bytes(&path)?).map_err(|error| wrong(&path, error))?;
    }
    Ok(())
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

/// A file of text.
pub fn text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(bytes(path)?).map_err(|_| request(path, "expected text in UTF-8, found other bytes"))
}

/// A sequence in Platen's own form, or whatever was exported.
pub fn sequence(path: &Path) -> Result<TaskSequence, Failure> {
    if !is_toml(path) {
        return Ok(source(path)?.imported.sequence);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut script = |name: &str| text(&folder.join(name)).map_err(|failure| failure.text());
    TaskSequence::from_toml(&text(path)?, &mut script).map_err(|error| wrong(path, error))
}

/// Writes a sequence in the form that the name ends in, with its scripts beside it. What is there already stays.
pub fn write(sequence: &TaskSequence, path: &Path) -> Result<(), Failure> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => {
            let written = sequence.to_toml();
            let folder = path.parent().unwrap_or(Path::new(""));
            for (name, text) in &written.files {
                create(&folder.join(name), text)?;
            }
            create(path, &written.toml)
        }
        Some("xml") => create(path, &sequence.to_xml()),
        _ => Err(request(path, "expected a name that ends in .toml or .xml")),
    }
}

/// A new file, with its folder.
pub fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => request(path, "is there already; nothing is written over"),
        _ => machine(path, error),
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// A folder that is new or empty.
pub fn empty_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| machine(path, error))?;
    let mut entries = fs::read_dir(path).map_err(|error| machine(path, error))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(request(path, "expected a new or an empty folder, found files in it")),
    }
}
