//! Which files go on a medium, and where. Only names and sizes are looked at.

use std::collections::HashMap;
use std::path::Path;

use platen_media::manifest::{ContentKind, MediaKind};
use platen_media::spec::{ContentSpec, MediaSpec};
use platen_media::{MediaPath, envelope};

use crate::boot_image::BootImage;
use crate::boot_kit::{BootKit, GRUB_CONFIG_FOLDER, Role};
use crate::definition::Definition;
use crate::grub::{BiosCode, Start, configuration};
use crate::times::Dated;
use crate::walk::{self, SourceFile};
use crate::wim::{self, SourceWim};
use crate::{AuthorError, BuildOptions};

/// Below it every content has a folder of its own.
pub(crate) const CONTENT_FOLDER: &str = "platen/content";
pub(crate) const PRESTART_FOLDER: &str = "platen/content/prestart";

/// A file of the medium before it was read.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    File(SourceFile),
    Bytes {
        place: MediaPath,
        bytes: Vec<u8>,
    },
    /// One that libwim verifies, and splits where it is too large.
    Wim(SourceWim),
}

impl Item {
    pub(crate) fn place(&self) -> &MediaPath {
        match self {
            Self::File(file) => &file.place,
            Self::Bytes { place, .. } => place,
            Self::Wim(wim) => &wim.place,
        }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::File(file) => file.size_bytes,
            Self::Bytes { bytes, .. } => bytes.len() as u64,
            Self::Wim(wim) => wim.size_bytes(),
        }
    }

    /// The files it is read from.
    fn sources(&self) -> &[SourceFile] {
        match self {
            Self::File(file) => std::slice::from_ref(file),
            Self::Bytes { .. } => &[],
            Self::Wim(wim) => &wim.parts,
        }
    }
}

/// One content before it was read.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) id: String,
    pub(crate) kind: ContentKind,
    pub(crate) name: String,
    pub(crate) version: String,
    /// Sorted by place.
    pub(crate) items: Vec<Item>,
    /// Stored with it, but no files: BIOS boot code.
    pub(crate) slices: Vec<Vec<u8>>,
}

/// Everything that goes on a medium, but for the policy.
pub(crate) struct Gathered {
    pub(crate) contents: Vec<Planned>,
    pub(crate) bios: Option<BiosCode>,
    pub(crate) boot_image: Option<BootImage>,
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
    let mut gatherer =
        Gatherer { spec: &definition.spec, contents: Vec::new(), bios: None, boot_image: None, problems: Vec::new() };
    match definition.spec.kind {
        MediaKind::StandAlone => gatherer.stand_alone()?,
        MediaKind::Tree => gatherer.tree()?,
        // Its bytes are no files: see `raw`.
        MediaKind::Raw => {}
    }
    gatherer.check(options.max_file_bytes);
    if !gatherer.problems.is_empty() {
        return Err(AuthorError::Contents { problems: gatherer.problems });
    }
    let Gatherer { contents, bios, boot_image, .. } = gatherer;
    Ok(Gathered { contents, bios, boot_image })
}

struct Gatherer<'a> {
    spec: &'a MediaSpec,
    contents: Vec<Planned>,
    bios: Option<BiosCode>,
    boot_image: Option<BootImage>,
    problems: Vec<String>,
}

fn at(path: &str) -> MediaPath {
    MediaPath::new(path).expect("made of ids and plain words, which were checked")
}

impl Gatherer<'_> {
    fn add(&mut self, id: &str, kind: ContentKind, name: &str, version: &str, mut items: Vec<Item>) {
        items.sort_by(|a, b| a.place().as_str().as_bytes().cmp(b.place().as_str().as_bytes()));
        let (id, name, version) = (id.to_owned(), name.to_owned(), version.to_owned());
        self.contents.push(Planned { id, kind, name, version, items, slices: Vec::new() });
    }

    fn stand_alone(&mut self) -> Result<(), AuthorError> {
        let spec = self.spec;
        let mut asks_processor = false;
        if let Some(path) = &spec.boot_kit {
            let kit = BootKit::open(path).map_err(AuthorError::BootKit)?;
            asks_processor = kit.file(Role::GrubIa32).is_ok();
            let mut items = Vec::new();
            for (role, place) in [
                (Role::Shim, "EFI/BOOT/BOOTX64.EFI"),
                (Role::Grub, "EFI/BOOT/grubx64.efi"),
                (Role::MokManager, "EFI/BOOT/mmx64.efi"),
                (Role::GrubIa32, "EFI/BOOT/BOOTIA32.EFI"),
            ] {
                // The one that old kits lack; all others were looked for when it was opened.
                let Ok((_, path)) = kit.file(role) else { continue };
                items.extend(walk::file(&path, at(place), "boot kit", &mut self.problems).map(Item::File));
            }
            self.boot_kit(&kit, items)?;
        }
        let start = spec.boot_image.as_ref().map(|image| Start::Linux { boot_image_id: &image.id, asks_processor });
        self.generated(start.as_ref(), true);
        if let Some(image) = &spec.boot_image {
            let boot_image = BootImage::open(&image.path).map_err(AuthorError::BootImage)?;
            let mut items = Vec::new();
            for name in [crate::boot_image::KERNEL, crate::boot_image::INITRD] {
                let place = at(&format!("boot/{}/{name}", image.id));
                items.extend(
                    walk::file(&image.path.join(name), place, "boot image", &mut self.problems).map(Item::File),
                );
            }
            self.add(&image.id, ContentKind::BootImage, &image.name, &image.version, items);
            self.boot_image = Some(boot_image);
        }
        if let Some(image) = &spec.operating_system_image {
            let stem = wim::stem(&image.content.name);
            let place = format!("{CONTENT_FOLDER}/{}/{stem}", image.content.id);
            let source = wim::source(&image.content.path, &place, &mut self.problems);
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
        if let Some(path) = spec.prestart.as_ref().and_then(|prestart| prestart.path.as_ref()) {
            let items = self.files(path, PRESTART_FOLDER, "prestart files");
            self.add("prestart", ContentKind::Prestart, "Prestart files", "", items);
        }
        Ok(())
    }

    fn folder(&mut self, content: &ContentSpec, kind: ContentKind) {
        let place = format!("{CONTENT_FOLDER}/{}", content.id);
        let items = self.files(&content.path, &place, &format!("{kind} {}", content.id));
        self.add(&content.id, kind, &content.name, &content.version, items);
    }

    /// Files of a folder; WIMs among them are known by their names and first bytes.
    fn files(&mut self, path: &Path, place: &str, what: &str) -> Vec<Item> {
        let before = self.problems.len();
        let found = walk::folder(path, place, what, &mut self.problems);
        if found.is_empty() && self.problems.len() == before {
            self.problems.push(format!("{what}: {}: expected files in the folder, found none", path.display()));
        }
        wim::among(found)
    }

    fn boot_kit(&mut self, kit: &BootKit, items: Vec<Item>) -> Result<(), AuthorError> {
        let bios = BiosCode::of(kit)?;
        let record = kit.record_sha256().to_string();
        self.add("boot-kit", ContentKind::BootKit, "Boot kit", &record[..12], items);
        if let Some(content) = self.contents.last_mut() {
            content.slices = vec![bios.boot_img.clone(), bios.core_mbr.clone(), bios.core_gpt.clone()];
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
        let Some(path) = &spec.tree else { return Ok(()) };
        let items = self.files(path, "", "tree");
        let find = |name: &str| items.iter().map(Item::place).find(|place| place.as_str().eq_ignore_ascii_case(name));
        let boot_manager = find("bootmgr").map(|place| place.as_str().to_owned());
        let label = find("MediaLabel.txt").is_none();
        match (&spec.boot_kit, &boot_manager) {
            (None, _) => self.generated(None, label),
            (Some(_), None) if self.problems.is_empty() => self.problems.push(format!(
                "boot-kit: {}: expected bootmgr at the tree's root, which the boot kit's BIOS code starts, found none; \
                 remove boot-kit from the definition",
                path.display()
            )),
            (Some(_), None) => {}
            (Some(kit), Some(boot_manager)) => {
                let kit = BootKit::open(kit).map_err(AuthorError::BootKit)?;
                self.boot_kit(&kit, Vec::new())?;
                self.generated(Some(&Start::BootManager { path: boot_manager }), label);
            }
        }
        self.add("tree", ContentKind::Tree, "Tree", "", items);
        Ok(())
    }

    /// Sizes and names of everything together.
    fn check(&mut self, max_file_bytes: u64) {
        // Folded path -> is it a file, and how it is written.
        let mut names: HashMap<String, (bool, String)> = HashMap::new();
        for reserved in envelope::ALL.into_iter().chain([envelope::POLICY_CLEAR, envelope::POLICY_SEALED]) {
            names.insert(at(reserved).case_folded(), (true, reserved.to_owned()));
        }
        for content in &self.contents {
            let what = format!("{} {}", content.kind, content.id);
            for item in &content.items {
                if let Item::File(file) = item
                    && file.size_bytes > max_file_bytes
                {
                    self.problems.push(format!(
                        "{what}: {}: expected at most {max_file_bytes} bytes (FAT32 holds no larger file, and only \
                         WIMs can be split), found {}",
                        file.path.display(),
                        file.size_bytes
                    ));
                }
                let (path, folded) = (item.place().as_str(), item.place().case_folded());
                for (end, _) in path.match_indices('/') {
                    // Raising a letter may change its length, but never the number of '/'.
                    let level = path[..end].matches('/').count();
                    let folder: Vec<&str> = folded.split('/').take(level + 1).collect();
                    let (written, folder) = (&path[..end], folder.join("/"));
                    match names.get(&folder) {
                        Some((false, other)) if other == written => {}
                        Some((_, other)) => self.problems.push(format!(
                            "{what}: {path}: expected folders that differ from other names in more than case, found {other}"
                        )),
                        None => drop(names.insert(folder, (false, written.to_owned()))),
                    }
                }
                if let Some((_, other)) = names.insert(folded, (true, path.to_owned())) {
                    self.problems.push(format!(
                        "{what}: {path}: expected a name that differs from others in more than case, found {other} too"
                    ));
                }
            }
        }
        // A folder that is named twice is said once for each file in it.
        let mut seen = std::collections::HashSet::new();
        self.problems.retain(|problem| seen.insert(problem.clone()));
    }
}
