// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Everything that can be wrong with a manifest: what is signed can be laid out on drives, shown and checked.

use platen_disk::{FileSpec, SECTOR_SIZES, TreeProblem};

use super::{Location, Manifest, MediaKind};
use crate::{MAX_LEVELS, MediaPath, Scheme, envelope, spec};

impl Manifest {
    /// Everything that is wrong with it, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let schema = self.validity.schema();
        if self.schema != schema {
            found.push(format!("schema: expected {schema}, found {}", self.schema));
        }
        if !is_id(&self.id) {
            found.push(format!("id: expected 1 to 32 of A-Z a-z 0-9 - _ ., found {:?}", self.id));
        }
        if let (Some(from), Some(until)) = (self.validity.from, self.validity.until)
            && from.is_after(until)
        {
            found.push(format!("validity: from {from} is after until {until}"));
        }
        if (self.kind == MediaKind::Raw) != self.image.is_some() {
            found.push(format!("image: expected exactly for kind raw, found kind {}", self.kind));
        }
        self.check_texts(&mut found);
        self.check_files(&mut found);
        self.check_image(&mut found);
        self.check_bios(&mut found);
        found
    }

    /// Signed texts come to screens, labels and tables: they are short and of one line.
    fn check_texts(&self, found: &mut Vec<String>) {
        let mut check = |what: &str, text: &str, limit: usize| {
            if text.chars().count() > limit || text.contains(is_unprintable) {
                let start: String = text.chars().take(limit).collect();
                found.push(format!(
                    "{what}: expected at most {limit} characters and no control characters, found {start:?}"
                ));
            }
        };
        check("name", &self.name, spec::MAX_NAME);
        check("version", &self.version, spec::MAX_VERSION);
        check("comment", &self.comment, spec::MAX_COMMENT);
        for (at, content) in self.contents.iter().enumerate() {
            // Ids of contents that authoring makes are words too.
            check(&format!("contents[{at}].id"), &content.id, 32);
            check(&format!("contents[{at}].name"), &content.name, spec::MAX_NAME);
            check(&format!("contents[{at}].version"), &content.version, spec::MAX_VERSION);
        }
    }

    fn check_files(&self, found: &mut Vec<String>) {
        for file in &self.files {
            let path = file.path.as_str();
            if self.content_of(file).is_none() {
                found.push(format!("file {path}: content {} of {}", file.content, self.contents.len()));
            }
            match file.at {
                None if file.size_bytes == 0 => {}
                Some(at) if file.size_bytes > 0 && self.holds(at, file.size_bytes) => {}
                _ => found.push(format!("file {path}: its {} bytes are in no blob", file.size_bytes)),
            }
        }
        for folder in self.folders.iter().filter(|folder| folder.as_str().split('/').count() > MAX_LEVELS) {
            found.push(format!("folder {folder}: expected at most {MAX_LEVELS} levels"));
        }
        let files = self.files.iter().map(|file| (&file.path, file.size_bytes));
        found.extend(tree_problems(files, &self.folders, &envelope::ALL).iter().map(TreeProblem::to_string));
    }

    fn check_image(&self, found: &mut Vec<String>) {
        let Some(image) = &self.image else { return };
        let listed = self.files.len() + self.folders.len();
        if listed > 0 {
            found.push(format!("files: expected none in a raw image, found {listed}"));
        }
        if !SECTOR_SIZES.contains(&image.sector_bytes()) {
            found.push(format!("image: expected sectors of 512 or 4096 bytes, found {}", image.sector_bytes()));
        }
        let parts_end = image.parts.last().map_or(0, |part| part.offset_bytes.saturating_add(part.size_bytes));
        let (most, needed) = (image.size_bytes, image.needed_bytes());
        if needed < parts_end || needed > most {
            found.push(format!("image: expected {parts_end} to {most} bytes to be needed, found {needed}"));
        }
        let mut end_bytes = 0;
        for part in &image.parts {
            let end = part.offset_bytes.checked_add(part.size_bytes);
            match end {
                Some(end) if part.offset_bytes >= end_bytes && end <= image.size_bytes && part.size_bytes > 0 => {
                    end_bytes = end
                }
                _ => found.push(format!("image: part at {:#x} overlaps or leaves the image", part.offset_bytes)),
            }
            if !self.holds(part.at, part.size_bytes) {
                found.push(format!("image: part at {:#x} is in no blob", part.offset_bytes));
            }
        }
    }

    fn check_bios(&self, found: &mut Vec<String>) {
        let Some(bios) = &self.bios else { return };
        for (name, slice) in [("boot_img", bios.boot_img), ("core_mbr", bios.core_mbr), ("core_gpt", bios.core_gpt)] {
            // 1 MiB less the table is all the room there is before the first partition.
            if slice.size_bytes == 0 || slice.size_bytes > 1 << 20 || !self.holds(slice.at, slice.size_bytes) {
                found.push(format!("bios.{name}: {} bytes are in no blob or do not fit", slice.size_bytes));
            }
        }
        for scheme in Scheme::ALL {
            if bios.records.iter().filter(|record| record.scheme == scheme).count() != 1 {
                found.push(format!("bios.records: expected one for {scheme}"));
            }
        }
    }

    fn holds(&self, at: Location, size_bytes: u64) -> bool {
        self.blobs
            .get(at.blob as usize)
            .is_some_and(|blob| at.offset_bytes.checked_add(size_bytes).is_some_and(|end| end <= blob.size_bytes))
    }
}

/// What a line of text for people must not hold: control characters, ends of lines and paragraphs, and what turns the
/// direction of writing so that a text shows as another (Unicode Technical Report 36).
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What keeps files and further folders from standing on one medium beside each other and `reserved`, which it carries
/// too: names FAT takes for one, folders with more entries than it can hold, files that are too large for it.
pub fn tree_problems<'a>(
    files: impl Iterator<Item = (&'a MediaPath, u64)>,
    folders: &[MediaPath],
    reserved: &[&'a str],
) -> Vec<TreeProblem> {
    let spec = |path, size_bytes| FileSpec { path, size_bytes, sealed: false, keep_at_bytes: None, modified: None };
    let reserved = reserved.iter().map(|path| spec(*path, 0));
    let files: Vec<FileSpec<'_>> = reserved.chain(files.map(|(path, size)| spec(path.as_str(), size))).collect();
    let folders: Vec<String> = folders.iter().map(MediaPath::to_string).collect();
    platen_disk::tree_problems(&files, &folders)
}

/// Ids of media and contents: they become file and folder names, and are read out on the phone.
pub fn is_id(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && MediaPath::new(text).is_ok()
}
