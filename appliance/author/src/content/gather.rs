// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which files go on a medium, and where. Only names and sizes are looked at, and what is in scripts and boot programs.

use std::path::Path;

use platen_media::manifest::{ContentKind, MediaKind, tree_problems};
use platen_media::spec::{ContentSpec, Links, MediaSpec, TreeSpec};
use platen_media::{MediaPath, envelope};
use platen_sequence::Finding;

use crate::boot::image::BootImage;
use crate::boot::kit::{BootKit, GRUB_CONFIG_FOLDER, Role};
use crate::content::bootable;
use crate::content::clear_text;
use crate::content::grub::{BiosCode, Start, configuration};
use crate::content::item::{BIOS_FOLDER, CONTENT_FOLDER, DISK_CORE, Item, PRESTART_FOLDER, Planned};
use crate::content::notes::Notes;
use crate::content::walk::{self, SourceFile};
use crate::content::{wim, wim_search};
use crate::definition::Definition;
use crate::definition::sources::Sources;
use crate::definition::times::Dated;
use crate::{AuthorError, BuildOptions};

/// Everything that goes on a medium, but for the policy.
pub(crate) struct Gathered {
    pub(crate) contents: Vec<Planned>,
    pub(crate) bios: Option<BiosCode>,
    pub(crate) boot_image: Option<BootImage>,
    pub(crate) findings: Vec<Finding>,
    /// Every file that is read.
    pub(crate) sources: Sources,
}

impl Gathered {
    /// Of all contents together.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.contents.iter().flat_map(|content| &content.items).map(Item::size_bytes).sum()
    }

    /// All source files and their times.
    pub(crate) fn dated(&self) -> Vec<Dated> {
        let dated = |content: &Planned, file: &SourceFile| Dated {
            of: format!("{} {}", content.kind, content.id),
            path: file.path.display().to_string(),
            modified_s: file.modified_s,
        };
        let all = self.contents.iter().flat_map(|content| content.items.iter().map(move |item| (content, item)));
        all.flat_map(|(content, item)| item.sources().iter().map(move |file| dated(content, file))).collect()
    }
}

pub(crate) fn gather(definition: &Definition, options: &BuildOptions) -> Result<Gathered, AuthorError> {
    let mut gatherer = Gatherer {
        spec: &definition.spec,
        contents: Vec::new(),
        bios: None,
        boot_image: None,
        notes: Notes::default(),
        sources: definition.sources.clone(),
    };
    match definition.spec.kind {
        MediaKind::StandAlone => gatherer.stand_alone()?,
        MediaKind::Tree => gatherer.tree()?,
        // Its bytes are no files: see `raw`.
        MediaKind::Raw => {}
    }
    gatherer.check(options.max_file_bytes);
    clear_text::check(&gatherer.contents, &mut gatherer.notes);
    let Gatherer { contents, bios, boot_image, notes: Notes { problems, findings }, mut sources, .. } = gatherer;
    if !problems.is_empty() {
        return Err(AuthorError::Contents { problems });
    }
    for file in contents.iter().flat_map(|content| &content.items).flat_map(Item::sources) {
        sources.add(&file.path, file.stamp);
    }
    Ok(Gathered { contents, bios, boot_image, findings, sources })
}

struct Gatherer<'a> {
    spec: &'a MediaSpec,
    contents: Vec<Planned>,
    bios: Option<BiosCode>,
    boot_image: Option<BootImage>,
    notes: Notes,
    sources: Sources,
}

fn at(path: &str) -> MediaPath {
    MediaPath::new(path).expect("made of ids and plain words, which were checked")
}

impl Gatherer<'_> {
    fn add(&mut self, id: &str, kind: ContentKind, name: &str, version: &str, items: Vec<Item>) {
        self.add_with_folders(id, kind, name, version, (items, Vec::new()));
    }

    fn add_with_folders(
        &mut self,
        id: &str,
        kind: ContentKind,
        name: &str,
        version: &str,
        (mut items, folders): (Vec<Item>, Vec<MediaPath>),
    ) {
        items.sort_by(|a, b| a.place().as_str().as_bytes().cmp(b.place().as_str().as_bytes()));
        let (id, name, version) = (id.to_owned(), name.to_owned(), version.to_owned());
        self.contents.push(Planned { id, kind, name, version, items, folders, slices: Vec::new() });
    }

    fn stand_alone(&mut self) -> Result<(), AuthorError> {
        let spec = self.spec;
        let mut asks_processor = false;
        if let Some(path) = &spec.boot_kit {
            let kit = self.open_kit(path)?;
            asks_processor = kit.file(Role::GrubIa32).is_ok();
            let mut items = Vec::new();
            for (role, place) in [
                (Role::Shim, "EFI/BOOT/BOOTX64.EFI"),
                (Role::Grub, "EFI/BOOT/grubx64.efi"),
                (Role::MokManager, "EFI/BOOT/mmx64.efi"),
                (Role::GrubIa32, "EFI/BOOT/BOOTIA32.EFI"),
                (Role::BiosDiskCore, DISK_CORE),
            ] {
                // Old kits lack some; all others were looked for when it was opened.
                let Ok((_, path)) = kit.file(role) else { continue };
                items.extend(walk::file(&path, at(place), "boot kit", &mut self.notes.problems).map(Item::File));
            }
            if kit.file(Role::BiosDiskCore).is_err() {
                let text = "expected GRUB's core image for the disks of deployed computers, found none: those that start \
                            by BIOS can't be made to start; collect the boot kit anew";
                self.notes.warning("BOOT-DISK", "boot kit", text.into());
            }
            self.boot_kit(&kit, items)?;
        }
        let start = spec.boot_image.as_ref().map(|image| Start::Linux { boot_image_id: &image.id, asks_processor });
        self.generated(start.as_ref(), true);
        if let Some(image) = &spec.boot_image {
            // Before its digests are checked: what changes later is seen.
            self.sources.add_all(&image.path);
            let boot_image = BootImage::open(&image.path).map_err(AuthorError::BootImage)?;
            let mut items = Vec::new();
            for name in boot_image.file_names() {
                let place = at(&format!("boot/{}/{name}", image.id));
                items.extend(
                    walk::file(&image.path.join(name), place, "boot image", &mut self.notes.problems).map(Item::File),
                );
            }
            self.add(&image.id, ContentKind::BootImage, &image.name, &image.version, items);
            self.boot_image = Some(boot_image);
        }
        if let Some(image) = &spec.operating_system_image {
            let stem = wim_search::stem(&image.content.name);
            let place = format!("{CONTENT_FOLDER}/{}/{stem}", image.content.id);
            let source = wim_search::source(&image.content.path, &place, &mut self.notes.problems);
            let ContentSpec { id, name, version, .. } = &image.content;
            self.add(id, ContentKind::OperatingSystemImage, name, version, source.map(Item::Wim).into_iter().collect());
        }
        for package in &spec.driver_packages {
            self.folder(package, ContentKind::DriverPackage);
        }
        for application in spec.applications_in_order().in_order {
            self.folder(&application.content, ContentKind::Application);
        }
        for package in &spec.packages {
            self.folder(&package.content, ContentKind::Package);
        }
        // A folder like any other: what is in it matters to the rules, and to the step that names it.
        for package in &spec.upgrade_packages {
            self.folder(package, ContentKind::Package);
        }
        if let Some(prestart) = &spec.prestart
            && let Some(path) = &prestart.path
        {
            let found = self.files(path, prestart.links, PRESTART_FOLDER, "prestart files");
            self.add_with_folders("prestart", ContentKind::Prestart, "Prestart files", "", found);
        }
        Ok(())
    }

    fn folder(&mut self, content: &ContentSpec, kind: ContentKind) {
        let place = format!("{CONTENT_FOLDER}/{}", content.id);
        let found = self.files(&content.path, content.links, &place, &format!("{kind} {}", content.id));
        self.add_with_folders(&content.id, kind, &content.name, &content.version, found);
    }

    /// Files and empty folders of a folder; WIMs among them are known by their names and first bytes.
    fn files(&mut self, path: &Path, links: Links, place: &str, what: &str) -> (Vec<Item>, Vec<MediaPath>) {
        let before = self.notes.problems.len();
        let found = walk::folder(path, place, links, what, &mut self.notes.problems);
        if found.files.is_empty() && self.notes.problems.len() == before {
            self.notes.problems.push(format!("{what}: {}: expected files in the folder, found none", path.display()));
        }
        if found.skipped_links > 0 {
            let text = format!("{} symbolic link(s) are left out, as links = \"skip\" says", found.skipped_links);
            self.notes.warning("LINKS-SKIPPED", what, text);
        }
        (wim_search::among(found.files, what, &mut self.notes), found.empty)
    }

    fn open_kit(&mut self, path: &Path) -> Result<BootKit, AuthorError> {
        // Before its digests are checked: what changes later is seen.
        self.sources.add_all(path);
        BootKit::open(path).map_err(AuthorError::BootKit)
    }

    fn boot_kit(&mut self, kit: &BootKit, mut items: Vec<Item>) -> Result<(), AuthorError> {
        let bios = BiosCode::of(kit)?;
        // As files too, for both schemes: so a written medium has all that it was made of, and can be imported from its drive.
        let images = [("boot.img", &bios.boot_img), ("core-mbr.img", &bios.core_mbr), ("core-gpt.img", &bios.core_gpt)];
        let image = |(name, bytes): (&str, &Vec<u8>)| Item::Bytes {
            place: at(&format!("{BIOS_FOLDER}/{name}")),
            bytes: bytes.clone(),
        };
        items.extend(images.map(image));
        let record = kit.record_sha256().to_string();
        self.add("boot-kit", ContentKind::BootKit, "Boot kit", &record[..12], items);
        if let Some(content) = self.contents.last_mut() {
            content.slices = images.map(|(_, bytes)| bytes.clone()).into();
        }
        self.bios = Some(bios);
        Ok(())
    }

    /// The label and GRUB's configuration.
    fn generated(&mut self, start: Option<&Start<'_>>, label: bool) {
        let spec = self.spec;
        let mut items = Vec::new();
        if label {
            let bytes = format!("label={}\r\n", spec.label).into_bytes();
            items.push(Item::Bytes { place: at("MediaLabel.txt"), bytes });
        }
        if let Some(start) = start {
            let bytes = configuration(spec, start).into_bytes();
            items.push(Item::Bytes { place: at("boot/grub/grub.cfg"), bytes: bytes.clone() });
            if spec.kind == MediaKind::StandAlone {
                items.push(Item::Bytes { place: at(&format!("{GRUB_CONFIG_FOLDER}/grub.cfg")), bytes });
            }
        }
        if !items.is_empty() {
            self.add("generated", ContentKind::Generated, "Generated files", "", items);
        }
    }

    fn tree(&mut self) -> Result<(), AuthorError> {
        let spec = self.spec;
        let Some(TreeSpec { path, links }) = &spec.tree else { return Ok(()) };
        let (items, folders) = self.files(path, *links, "", "tree");
        let find = |name: &str| items.iter().map(Item::place).find(|place| place.as_str().eq_ignore_ascii_case(name));
        let boot_manager = find("bootmgr").map(|place| place.as_str().to_owned());
        let label = find("MediaLabel.txt").is_none();
        match (&spec.boot_kit, &boot_manager) {
            (None, _) => self.generated(None, label),
            (Some(_), None) if self.notes.problems.is_empty() => self.notes.problems.push(format!(
                "boot-kit: {}: expected bootmgr at the tree's root, which the boot kit's BIOS code starts, found none; \
                 remove boot-kit from the definition",
                path.display()
            )),
            (Some(_), None) => {}
            (Some(kit), Some(boot_manager)) => {
                let kit = self.open_kit(kit)?;
                self.boot_kit(&kit, Vec::new())?;
                self.generated(Some(&Start::BootManager { path: boot_manager }), label);
            }
        }
        bootable::check(&items, spec.boot_kit.is_some(), &mut self.notes);
        self.add_with_folders("tree", ContentKind::Tree, "Tree", "", (items, folders));
        Ok(())
    }

    /// Sizes and names of everything together.
    fn check(&mut self, max_file_bytes: u64) {
        let contents =
            || self.contents.iter().flat_map(|content| content.items.iter().map(move |item| (content, item)));
        for (content, item) in contents() {
            let what = format!("{} {}", content.kind, content.id);
            match item {
                Item::File(file) if file.size_bytes() > max_file_bytes => self.notes.problems.push(format!(
                    "{what}: {}: expected at most {max_file_bytes} bytes (FAT32 holds no larger file, and only \
                     WIMs can be split), found {}",
                    file.path.display(),
                    file.size_bytes()
                )),
                Item::Wim(wim) if wim::is_too_large(wim, max_file_bytes) && wim::is_boot_image(wim) => {
                    self.notes.problems.push(format!(
                        "{what}: {}: expected a boot image of at most {max_file_bytes} bytes (FAT32 holds no larger \
                         file, and no boot manager starts one that was split), found {}; make it smaller",
                        wim.parts[0].path.display(),
                        wim.size_bytes()
                    ));
                }
                _ => {}
            }
        }
        // The size of what is split does not count here.
        let files = contents().map(|(_, item)| (item.place(), 0));
        let folders: Vec<MediaPath> = self.contents.iter().flat_map(|content| content.folders.clone()).collect();
        let policies = [envelope::POLICY_CLEAR, envelope::POLICY_ENCRYPTED];
        let reserved: Vec<&str> = envelope::ALL.into_iter().chain(policies).collect();
        let twins = tree_problems(files, &folders, &reserved);
        self.notes.problems.extend(twins.iter().map(ToString::to_string));
    }
}
