// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What copy, xcopy, robocopy, del, md and rd do to files, by their documented options. An option that would do
//! something else than is done here is refused, never passed over.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::offline::Paths;
use super::{StepError, make_folder, said};

/// Folders do not nest deeper.
const MAX_LEVELS: usize = 128;

/// Which folders below the source are copied, too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Nothing,
    /// Those that have something to copy.
    Used,
    All,
}

/// Options apart from operands. `known` are those that change nothing here, `taken` those that are given back.
pub(super) fn parted<'w>(
    words: &[&'w str],
    known: &[&str],
    taken: &[&str],
) -> Result<(Vec<&'w str>, Vec<String>), StepError> {
    let (mut operands, mut options) = (Vec::new(), Vec::new());
    for word in words {
        let option = word.to_lowercase();
        let is = |list: &[&str]| list.iter().any(|it| *it == option || (it.ends_with(':') && option.starts_with(it)));
        match word.starts_with('/') {
            false => operands.push(*word),
            true if is(taken) => options.push(option),
            true if is(known) => {}
            true => {
                return Err(said(format!(
                    "the option {word} is not done here; leave it out, or wait for Windows to run"
                )));
            }
        }
    }
    Ok((operands, options))
}

pub(super) fn two<'w>(operands: &[&'w str]) -> Result<(&'w str, &'w str), StepError> {
    match operands {
        [from, to] => Ok((from, to)),
        _ => Err(said(format!("expected a source and a destination, found {} paths", operands.len()))),
    }
}

pub(super) fn copy(paths: &Paths, words: &[&str]) -> Result<String, StepError> {
    let (operands, _) = parted(words, &["/y", "/-y", "/b", "/v", "/z", "/n"], &[])?;
    let (from, to) = two(&operands)?;
    let (sources, is_pattern) = sources(paths, from)?;
    let to = target(paths, to, is_pattern)?;
    for source in &sources {
        copy_file(source, &to.of(source)?)?;
    }
    Ok(counted(sources.len()))
}

pub(super) fn xcopy(paths: &Paths, words: &[&str]) -> Result<String, StepError> {
    let plain = ["/y", "/-y", "/q", "/f", "/h", "/r", "/k", "/c", "/v", "/z", "/g", "/o", "/x", "/j"];
    let (operands, options) = parted(words, &plain, &["/s", "/e", "/i"])?;
    let has = |option: &str| options.iter().any(|it| it == option);
    let below = match (has("/s"), has("/e")) {
        (_, true) => Below::All,
        (true, false) => Below::Used,
        (false, false) => Below::Nothing,
    };
    let (from, to) = two(&operands)?;
    let (folder, pattern) = match paths.resolve_plain(from)? {
        Some(folder) if folder.is_dir() => (folder, "*"),
        Some(file) => {
            let found = paths.resolve(to)?;
            if !found.exists && !has("/i") && !to.ends_with(['\\', '/']) {
                return Err(said(format!(
                    "{to}: xcopy would ask whether it is a file or a folder; end it with \\ or use copy"
                )));
            }
            let to = Target { is_folder: found.path.is_dir() || !found.exists, path: found.path };
            copy_file(&file, &to.of(&file)?)?;
            return Ok(counted(1));
        }
        None => split_pattern(paths, from)?,
    };
    let to = paths.resolve(to)?.path;
    copy_tree(&folder, &to, pattern, below, 0).map(counted)
}

/// With its exit code: 1 where something was copied, 0 where there was nothing.
pub(super) fn robocopy(paths: &Paths, words: &[&str]) -> Result<(i64, String), StepError> {
    let plain = [
        "/r:", "/w:", "/np", "/nfl", "/ndl", "/njh", "/njs", "/nc", "/ns", "/z", "/b", "/zb", "/j", "/mt", "/mt:",
        "/v", "/copy:", "/copyall", "/dcopy:", "/is", "/it", "/fft", "/eta",
    ];
    let (operands, options) = parted(words, &plain, &["/s", "/e"])?;
    let below = match options.iter().map(String::as_str).max() {
        Some("/s") if !options.iter().any(|option| option == "/e") => Below::Used,
        Some(_) => Below::All,
        None => Below::Nothing,
    };
    let [from, to, patterns @ ..] = &operands[..] else { return Err(said("expected a source and a destination")) };
    let from = paths.resolve_plain(from)?.filter(|path| path.is_dir());
    let from = from.ok_or_else(|| said("robocopy: expected a source folder, found none"))?;
    let to = paths.resolve(to)?.path;
    let patterns = if patterns.is_empty() { &["*"] } else { patterns };
    let mut count = 0;
    for pattern in patterns {
        count += copy_tree(&from, &to, pattern, below, 0)?;
    }
    Ok((i64::from(count > 0), counted(count)))
}

pub(super) fn delete(paths: &Paths, words: &[&str]) -> Result<String, StepError> {
    let (operands, _) = parted(words, &["/f", "/q", "/p", "/a", "/a:"], &[])?;
    let mut count = 0;
    for operand in operands {
        let found = match paths.resolve_plain(operand) {
            Ok(Some(folder)) if folder.is_dir() => files_in(&folder, "*")?,
            Ok(Some(file)) => vec![file],
            _ => {
                let (folder, pattern) = split_pattern(paths, operand)?;
                if folder.is_dir() { files_in(&folder, pattern)? } else { Vec::new() }
            }
        };
        for file in found {
            fs::remove_file(&file).map_err(|error| said(format!("removing {}: {error}", file.display())))?;
            count += 1;
        }
    }
    Ok(counted(count))
}

pub(super) fn make_folders(paths: &Paths, words: &[&str]) -> Result<String, StepError> {
    let (operands, _) = parted(words, &[], &[])?;
    for operand in &operands {
        make_folder(&paths.resolve(operand)?.path)?;
    }
    Ok(format!("{} folders", operands.len()))
}

pub(super) fn remove_folders(paths: &Paths, words: &[&str]) -> Result<String, StepError> {
    let (operands, options) = parted(words, &["/q"], &["/s"])?;
    for operand in &operands {
        let found = paths.resolve(operand)?;
        if !found.exists {
            return Err(said(format!("{operand}: there is no such folder")));
        }
        let removed = if options.is_empty() { fs::remove_dir(&found.path) } else { fs::remove_dir_all(&found.path) };
        removed.map_err(|error| said(format!("removing {}: {error}", found.path.display())))?;
    }
    Ok(format!("{} folders", operands.len()))
}

pub(super) fn counted(files: usize) -> String {
    format!("{files} files")
}

impl Paths {
    /// A path that is there and no pattern.
    pub(super) fn resolve_plain(&self, path: &str) -> Result<Option<PathBuf>, StepError> {
        if path.contains(['*', '?']) {
            return Ok(None);
        }
        let found = self.resolve(path)?;
        Ok(found.exists.then_some(found.path))
    }
}

/// A destination: a folder that files come into, or the file itself.
pub(super) struct Target {
    path: PathBuf,
    is_folder: bool,
}

impl Target {
    pub(super) fn of(&self, source: &Path) -> Result<PathBuf, StepError> {
        if !self.is_folder {
            return Ok(self.path.clone());
        }
        make_folder(&self.path)?;
        Names::of(&self.path)?.child(source)
    }
}

pub(super) fn target(paths: &Paths, path: &str, several: bool) -> Result<Target, StepError> {
    let found = paths.resolve(path)?;
    let is_folder = found.path.is_dir() || path.ends_with(['\\', '/']);
    if several && !is_folder {
        return Err(said(format!("{path}: expected a folder for several files, found none; end it with \\")));
    }
    Ok(Target { path: found.path, is_folder })
}

/// The files that an operand names, at least one, and whether it is a pattern.
pub(super) fn sources(paths: &Paths, operand: &str) -> Result<(Vec<PathBuf>, bool), StepError> {
    let (found, is_pattern) = match paths.resolve_plain(operand)? {
        Some(folder) if folder.is_dir() => (files_in(&folder, "*")?, true),
        Some(file) => (vec![file], false),
        None => {
            let (folder, pattern) = split_pattern(paths, operand)?;
            (if folder.is_dir() { files_in(&folder, pattern)? } else { Vec::new() }, true)
        }
    };
    if found.is_empty() {
        return Err(said(format!("{operand}: there is no such file")));
    }
    Ok((found, is_pattern))
}

/// `folder\pattern`.
fn split_pattern<'o>(paths: &Paths, operand: &'o str) -> Result<(PathBuf, &'o str), StepError> {
    let (folder, pattern) = match operand.rfind(['\\', '/']) {
        Some(at) => (&operand[..=at], &operand[at + 1..]),
        None => (".", operand),
    };
    Ok((paths.resolve(folder)?.path, pattern))
}

/// Files, not folders and not links, whose name fits.
fn files_in(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, StepError> {
    let mut found = Vec::new();
    for entry in listed(folder)? {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && fits(pattern, &entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn listed(folder: &Path) -> Result<Vec<fs::DirEntry>, StepError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    entries.map_err(|error| said(format!("reading {}: {error}", folder.display())))
}

/// `*` for any characters, `?` for one; `*.*` for all names.
fn fits(pattern: &str, name: &str) -> bool {
    let pattern = if pattern == "*.*" { "*" } else { pattern };
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.to_lowercase().chars().collect(), name.to_lowercase().chars().collect());
    let (mut at, mut of, mut star) = (0, 0, None);
    // Goes back to the last star alone, so that the time is the product of the lengths at most.
    while of < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[of] => (at, of) = (at + 1, of + 1),
            _ => match star {
                Some((back, from)) => {
                    star = Some((back, from + 1));
                    (at, of) = (back + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// The names of a folder: capitals and small letters are alike for Windows.
struct Names {
    folder: PathBuf,
    known: HashMap<String, String>,
}

impl Names {
    fn of(folder: &Path) -> Result<Self, StepError> {
        let names = listed(folder)?.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
        Ok(Self { folder: folder.to_owned(), known: names.map(|name| (name.to_uppercase(), name)).collect() })
    }

    /// Where a file or folder of that name is, or comes to be; never a link.
    fn child(&self, source: &Path) -> Result<PathBuf, StepError> {
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let path = self.folder.join(self.known.get(&name.to_uppercase()).map_or(&*name, |known| known));
        match path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
            true => Err(said(format!("{} is a link or a junction, and may lead out of the volume", path.display()))),
            false => Ok(path),
        }
    }
}

/// A folder with all that is below it.
pub(super) fn copy_whole(from: &Path, to: &Path) -> Result<usize, StepError> {
    copy_tree(from, to, "*", Below::All, 0)
}

fn copy_tree(from: &Path, to: &Path, pattern: &str, below: Below, level: usize) -> Result<usize, StepError> {
    if level > MAX_LEVELS {
        return Err(said(format!("{}: more than {MAX_LEVELS} folders deep", from.display())));
    }
    if level == 0 && to.starts_with(from) {
        return Err(said(format!("{}: a folder can't be copied into itself", from.display())));
    }
    let files = files_in(from, pattern)?;
    let mut folders: Vec<PathBuf> = Vec::new();
    if below != Below::Nothing {
        let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        folders.extend(listed(from)?.into_iter().filter(is_folder).map(|entry| entry.path()));
    }
    if !files.is_empty() || below == Below::All {
        make_folder(to)?;
    }
    let names = if to.is_dir() { Names::of(to)? } else { Names { folder: to.to_owned(), known: HashMap::new() } };
    for file in &files {
        copy_file(file, &names.child(file)?)?;
    }
    let mut count = files.len();
    for folder in folders {
        count += copy_tree(&folder, &names.child(&folder)?, pattern, below, level + 1)?;
    }
    Ok(count)
}

fn copy_file(from: &Path, to: &Path) -> Result<(), StepError> {
    make_folder(to.parent().unwrap_or(to))?;
    fs::copy(from, to)
        .map(drop)
        .map_err(|error| said(format!("copying {} to {}: {error}", from.display(), to.display())))
}
