// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From a list of paths to directories, and everything that can be wrong with the list.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::names::{self, Fixed};
use crate::{FileSpec, LayoutError, MAX_FILE_BYTES, TreeProblem};

/// fatgen103: a directory has at most 65,536 entries.
pub(crate) const LIMIT_ENTRIES: u64 = 65_536;

/// The directories of a volume; the first is the root, and each comes after the one it is in.
pub(crate) struct Tree<'a> {
    pub(crate) directories: Vec<Directory<'a>>,
}

pub(crate) struct Directory<'a> {
    /// Empty for the root.
    pub(crate) path: &'a str,
    /// The file whose path made it.
    because: &'a str,
    pub(crate) parent: u32,
    pub(crate) children: Vec<Child<'a>>,
    /// Entries of 32 bytes.
    pub(crate) entries: u64,
}

#[derive(Clone, Copy)]
pub(crate) struct Child<'a> {
    pub(crate) name: &'a str,
    pub(crate) node: Node,
}

/// An index into the directories or into the list of files.
#[derive(Clone, Copy)]
pub(crate) enum Node {
    Directory(u32),
    File(u32),
}

/// Everything that keeps files and further folders from standing on one FAT32 volume together; what [`crate::lay_out`]
/// would refuse of them on any drive.
pub fn tree_problems(files: &[FileSpec<'_>], folders: &[String]) -> Vec<TreeProblem> {
    look(files, folders).1
}

pub(crate) fn build<'a>(files: &[FileSpec<'a>], folders: &'a [String]) -> Result<Tree<'a>, LayoutError> {
    let (directories, problems) = look(files, folders);
    if problems.is_empty() { Ok(Tree { directories }) } else { Err(LayoutError::Tree { problems }) }
}

fn look<'a>(files: &[FileSpec<'a>], folders: &'a [String]) -> (Vec<Directory<'a>>, Vec<TreeProblem>) {
    let root = Directory { path: "", because: "", parent: 0, children: Vec::new(), entries: 1 };
    let mut builder = Builder {
        files,
        directories: vec![root],
        by_path: HashMap::default(),
        names: HashMap::with_capacity_and_hasher(files.len(), Fixed::default()),
        problems: Vec::new(),
    };
    for (index, file) in files.iter().enumerate() {
        // A list of more than 2^32 files would take 128 GiB of memory.
        builder.add_file(index as u32, file);
    }
    for folder in folders {
        builder.directory(folder, folder);
    }
    let Builder { directories, mut problems, .. } = builder;
    problems.extend(directories.iter().filter(|d| d.entries > LIMIT_ENTRIES).map(|d| TreeProblem::DirectoryTooLarge {
        path: d.path.to_owned(),
        found_entries: d.entries,
        limit_entries: LIMIT_ENTRIES,
    }));
    (directories, problems)
}

struct Builder<'a, 'f> {
    files: &'f [FileSpec<'a>],
    directories: Vec<Directory<'a>>,
    /// Every directory path met; `None` if there is a file in its place.
    by_path: HashMap<&'a str, Option<u32>, Fixed>,
    /// Directory and folded name.
    names: HashMap<(u32, String), Node, Fixed>,
    problems: Vec<TreeProblem>,
}

impl<'a> Builder<'a, '_> {
    fn add_file(&mut self, index: u32, file: &FileSpec<'a>) {
        let (directory, name) = match file.path.rsplit_once('/') {
            Some((directory, name)) => (self.directory(directory, file.path), name),
            None => (Some(0), file.path),
        };
        names::check(file.path, name, &mut self.problems);
        if file.size_bytes > MAX_FILE_BYTES {
            let (path, found_bytes) = (file.path.to_owned(), file.size_bytes);
            self.problems.push(TreeProblem::FileTooLarge { path, found_bytes, limit_bytes: MAX_FILE_BYTES });
        }
        if let Some(directory) = directory {
            self.add(directory, name, file.path, Node::File(index), file.path);
        }
    }

    /// The directory of this path, made if need be, with those it is in. Names with problems are made all the same, so
    /// that everything below them is looked at too.
    fn directory(&mut self, path: &'a str, because: &'a str) -> Option<u32> {
        if let Some(&known) = self.by_path.get(path) {
            return known;
        }
        let mut current = Some(0);
        let mut start = 0;
        loop {
            let end = path[start..].find('/').map_or(path.len(), |n| start + n);
            let (upto, name) = (&path[..end], &path[start..end]);
            current = match self.by_path.get(upto) {
                Some(&known) => known,
                None => {
                    names::check(because, name, &mut self.problems);
                    let made = current.and_then(|parent| self.make_directory(parent, name, upto, because));
                    self.by_path.insert(upto, made);
                    made
                }
            };
            if end == path.len() {
                return current;
            }
            start = end + 1;
        }
    }

    fn make_directory(&mut self, parent: u32, name: &'a str, path: &'a str, because: &'a str) -> Option<u32> {
        let number = self.directories.len() as u32;
        match self.add(parent, name, path, Node::Directory(number), because) {
            Some(Node::Directory(existing)) => Some(existing),
            Some(Node::File(_)) => None,
            None => {
                // `.` and `..`.
                self.directories.push(Directory { path, because, parent, children: Vec::new(), entries: 2 });
                Some(number)
            }
        }
    }

    /// Adds a child, or reports why not and returns what has its name.
    fn add(&mut self, parent: u32, name: &'a str, path: &'a str, node: Node, because: &'a str) -> Option<Node> {
        let existing = match self.names.entry((parent, names::fold_name(name))) {
            Entry::Vacant(vacant) => {
                vacant.insert(node);
                let directory = &mut self.directories[parent as usize];
                directory.entries += names::entries(name);
                directory.children.push(Child { name, node });
                return None;
            }
            Entry::Occupied(occupied) => *occupied.get(),
        };
        let first = match existing {
            Node::File(index) => self.files[index as usize].path,
            Node::Directory(number) => self.directories[number as usize].path,
        };
        self.problems.push(match (existing, node) {
            (Node::File(_), Node::Directory(_)) if first == path => {
                TreeProblem::FileAndDirectory { file: path.to_owned(), below: because.to_owned() }
            }
            (Node::Directory(number), Node::File(_)) if first == path => TreeProblem::FileAndDirectory {
                file: path.to_owned(),
                below: self.directories[number as usize].because.to_owned(),
            },
            _ => TreeProblem::SameName { first: first.to_owned(), second: path.to_owned() },
        });
        Some(existing)
    }
}
