// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The boot store (BCD): a hive in which Windows' boot manager finds what it starts.
//!
//! A store is `Objects\{id}\Description` with the object's type and `Objects\{id}\Elements\<type>\Element` with a value,
//! whose form the type says. It is made from the image's own `BCD-Template`, or from an empty hive. Microsoft documents
//! the objects and elements ("BCD Reference"); the form of a device is known from stores that were published. No Windows
//! was started from a store made here yet.

use crate::registry::{Action, Change, Data, REG_SZ};

/// Where the store is on the system partition.
pub const UEFI_STORE: &str = "EFI\\Microsoft\\Boot\\BCD";
/// And on a computer that starts by its BIOS.
pub const BIOS_STORE: &str = "Boot\\BCD";
/// Where an image has its template.
pub const TEMPLATE: &str = "Windows\\System32\\config\\BCD-Template";
/// The name of an empty store's root.
pub const ROOT_NAME: &str = "NewStoreRoot";

/// How the computer starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// By `bootmgfw.efi`.
    Uefi,
    /// By `bootmgr`.
    Bios,
}

/// A partition, as the boot manager finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// By its ids, as they stand in the tables.
    Gpt {
        /// Of the disk.
        disk: [u8; 16],
        /// Of the partition.
        partition: [u8; 16],
    },
    /// By the disk's signature and the partition's place.
    Mbr {
        /// Bytes 440 to 443 of the disk.
        disk_signature: u32,
        /// From the beginning of the disk.
        offset_bytes: u64,
    },
}

/// What the changes begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// A copy of the image's `BCD-Template`: its settings are kept.
    Template,
    /// A hive with nothing in it.
    Empty,
}

/// A store that starts one Windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootStore {
    /// How the computer starts.
    pub firmware: Firmware,
    /// The partition with the boot manager and this store.
    pub system: Partition,
    /// The partition with Windows.
    pub windows: Partition,
    /// What the boot menu calls it.
    pub description: String,
    /// The boot menu's language, such as `en-US`.
    pub locale: String,
    /// Random, for the object that starts Windows.
    pub loader_id: [u8; 16],
    /// Random, for the object that wakes it from hibernation.
    pub resume_id: [u8; 16],
}

/// An object of the store.
struct Object {
    id: String,
    /// Its type: 1 application, 2 to be inherited.
    kind: u32,
    elements: Vec<(u32, Element)>,
}

/// The value of an element. Bits 24 to 27 of the element's type say which form it has.
enum Element {
    Device(Partition),
    Text(String),
    Object(String),
    Objects(Vec<String>),
    Number(u64),
    Flag(bool),
    Numbers(Vec<u64>),
}

const BOOT_MANAGER: &str = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}";
const MEMORY_TESTER: &str = "{b2721d73-1db4-4c62-bf78-c548a880142d}";
const EMS_SETTINGS: &str = "{0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9}";
const RESUME_SETTINGS: &str = "{1afa9c49-16ab-4a5c-901b-212802da9460}";
const DEBUGGER_SETTINGS: &str = "{4636856e-540f-4170-a130-a84776f4c654}";
const BAD_MEMORY: &str = "{5189b25c-5558-4bf2-bca4-289b11bd29e2}";
const LOADER_SETTINGS: &str = "{6efb52bf-1766-41db-a6b3-0ee5eff72bd7}";
const GLOBAL_SETTINGS: &str = "{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}";
const HYPERVISOR_SETTINGS: &str = "{7ff607e0-4395-11db-b0de-0800200c9a66}";

/// Objects of a template that are models of others, or of other systems: a store has none of them.
const MODELS: [&str; 7] = [
    "{0c334284-9a41-4de1-99b3-a7e87e8ff07e}",
    "{98b02a23-0674-4ce7-bdad-e0a15a8ff97b}",
    "{a1943bbc-ea85-487c-97c7-c9ede908a38a}",
    "{b012b84d-c47c-4ed5-b722-c0c42163e569}",
    "{466f5a88-0af2-4f76-9038-095b170dc21c}",
    "{7254a080-1510-4e85-ac0f-e7fb3d444736}",
    "{cbd971bf-b7b8-4885-951a-fa03044f5d71}",
];

// Elements of every application ("BcdLibraryElementTypes").
const APPLICATION_DEVICE: u32 = 0x1100_0001;
const APPLICATION_PATH: u32 = 0x1200_0002;
const DESCRIPTION: u32 = 0x1200_0004;
const LOCALE: u32 = 0x1200_0005;
const INHERIT: u32 = 0x1400_0006;
const DEBUGGER_TYPE: u32 = 0x1500_0011;
const ALLOW_BAD_MEMORY: u32 = 0x1600_000b;
const EMS: u32 = 0x1600_0020;
const ISOLATED_CONTEXT: u32 = 0x1600_0060;
const ALLOWED_IN_MEMORY_SETTINGS: u32 = 0x1700_0077;
// Of the boot manager ("BcdBootMgrElementTypes").
const DEFAULT_OBJECT: u32 = 0x2300_0003;
const RESUME_OBJECT: u32 = 0x2300_0006;
const DISPLAY_ORDER: u32 = 0x2400_0001;
const TOOLS_DISPLAY_ORDER: u32 = 0x2400_0010;
const TIMEOUT_S: u32 = 0x2500_0004;
// Of what starts Windows ("BcdOSLoaderElementTypes").
const OS_DEVICE: u32 = 0x2100_0001;
const SYSTEM_ROOT: u32 = 0x2200_0002;
const ASSOCIATED_RESUME_OBJECT: u32 = 0x2300_0003;
const NX_POLICY: u32 = 0x2500_0020;
const BOOT_MENU_POLICY: u32 = 0x2500_00c2;
const HYPERVISOR_DEBUGGER_TYPE: u32 = 0x2500_00f3;
const HYPERVISOR_DEBUGGER_PORT: u32 = 0x2500_00f4;
const HYPERVISOR_BAUD_RATE: u32 = 0x2500_00f5;
// Of what wakes it, in the numbers of the loader's.
const FILE_DEVICE: u32 = 0x2100_0001;
const FILE_PATH: u32 = 0x2200_0002;
const RESUME_MENU_POLICY: u32 = 0x2500_0008;
const DEBUG_OPTION: u32 = 0x2600_0006;

impl BootStore {
    /// The changes that make the store out of `base`.
    pub fn changes(&self, base: Base) -> Vec<Change> {
        let mut changes = vec![
            value("Description", "KeyName", Data::text(REG_SZ, "BCD00000000")),
            value("Description", "System", Data::dword(1)),
            value("Description", "TreatAsSystem", Data::dword(1)),
        ];
        let delete = |id: &str| Change { key: format!("Objects\\{id}"), action: Action::DeleteKey };
        let mut objects = vec![self.boot_manager(), self.memory_tester(), self.loader(), self.resume()];
        match base {
            // What is left of the template's own would be read too.
            Base::Template => {
                let ours = objects.iter().map(|object| object.id.as_str());
                changes.extend(MODELS.into_iter().chain(ours).map(delete));
            }
            Base::Empty => objects.extend(settings()),
        }
        changes.extend(objects.iter().flat_map(Object::changes));
        changes
    }

    fn boot_manager(&self) -> Object {
        let mut elements = vec![
            (APPLICATION_DEVICE, Element::Device(self.system)),
            (DESCRIPTION, Element::text("Windows Boot Manager")),
            (LOCALE, Element::text(&self.locale)),
            (INHERIT, Element::objects([GLOBAL_SETTINGS])),
            (DEFAULT_OBJECT, Element::Object(id(&self.loader_id))),
            (RESUME_OBJECT, Element::Object(id(&self.resume_id))),
            (DISPLAY_ORDER, Element::Objects(vec![id(&self.loader_id)])),
            (TOOLS_DISPLAY_ORDER, Element::objects([MEMORY_TESTER])),
            (TIMEOUT_S, Element::Number(30)),
        ];
        if self.firmware == Firmware::Uefi {
            elements.push((APPLICATION_PATH, Element::text("\\EFI\\Microsoft\\Boot\\bootmgfw.efi")));
        }
        Object { id: BOOT_MANAGER.to_owned(), kind: 0x1010_0002, elements }
    }

    fn memory_tester(&self) -> Object {
        let path = match self.firmware {
            Firmware::Uefi => "\\EFI\\Microsoft\\Boot\\memtest.efi",
            Firmware::Bios => "\\Boot\\memtest.exe",
        };
        let elements = vec![
            (APPLICATION_DEVICE, Element::Device(self.system)),
            (APPLICATION_PATH, Element::text(path)),
            (DESCRIPTION, Element::text("Windows Memory Diagnostic")),
            (LOCALE, Element::text(&self.locale)),
            (INHERIT, Element::objects([GLOBAL_SETTINGS])),
            (ALLOW_BAD_MEMORY, Element::Flag(true)),
        ];
        Object { id: MEMORY_TESTER.to_owned(), kind: 0x1020_0005, elements }
    }

    fn loader(&self) -> Object {
        // Data execution prevention is on where a program asks for it, and the boot menu is drawn by Windows.
        const OPT_IN: u64 = 0;
        const STANDARD: u64 = 1;
        let mut elements = self.of_windows("winload", &self.description, LOADER_SETTINGS);
        elements.extend([
            (OS_DEVICE, Element::Device(self.windows)),
            (SYSTEM_ROOT, Element::text("\\Windows")),
            (ASSOCIATED_RESUME_OBJECT, Element::Object(id(&self.resume_id))),
            (NX_POLICY, Element::Number(OPT_IN)),
            (BOOT_MENU_POLICY, Element::Number(STANDARD)),
        ]);
        Object { id: id(&self.loader_id), kind: 0x1020_0003, elements }
    }

    fn resume(&self) -> Object {
        const STANDARD: u64 = 1;
        let mut elements = self.of_windows("winresume", "Windows Resume Application", RESUME_SETTINGS);
        elements.extend([
            (FILE_DEVICE, Element::Device(self.windows)),
            (FILE_PATH, Element::text("\\hiberfil.sys")),
            (RESUME_MENU_POLICY, Element::Number(STANDARD)),
        ]);
        if self.firmware == Firmware::Bios {
            elements.push((DEBUG_OPTION, Element::Flag(false)));
        }
        Object { id: id(&self.resume_id), kind: 0x1020_0004, elements }
    }

    /// What both programs of Windows' partition have.
    fn of_windows(&self, program: &str, description: &str, inherited: &str) -> Vec<(u32, Element)> {
        let (extension, is_uefi) = match self.firmware {
            Firmware::Uefi => ("efi", true),
            Firmware::Bios => ("exe", false),
        };
        let mut elements = vec![
            (APPLICATION_DEVICE, Element::Device(self.windows)),
            (APPLICATION_PATH, Element::text(&format!("\\Windows\\system32\\{program}.{extension}"))),
            (DESCRIPTION, Element::text(description)),
            (LOCALE, Element::text(&self.locale)),
            (INHERIT, Element::objects([inherited])),
            (ALLOWED_IN_MEMORY_SETTINGS, Element::Numbers(vec![0x1500_0075])),
        ];
        if is_uefi {
            elements.push((ISOLATED_CONTEXT, Element::Flag(true)));
        }
        elements
    }
}

/// Objects that the others inherit from, as every store has them.
fn settings() -> Vec<Object> {
    const LOCAL: u64 = 4;
    let object = |id: &str, kind, elements| Object { id: id.to_owned(), kind, elements };
    vec![
        object(EMS_SETTINGS, 0x2010_0000, vec![(EMS, Element::Flag(false))]),
        object(DEBUGGER_SETTINGS, 0x2010_0000, vec![(DEBUGGER_TYPE, Element::Number(LOCAL))]),
        object(BAD_MEMORY, 0x2010_0000, Vec::new()),
        object(
            GLOBAL_SETTINGS,
            0x2010_0000,
            vec![(INHERIT, Element::objects([DEBUGGER_SETTINGS, EMS_SETTINGS, BAD_MEMORY]))],
        ),
        object(RESUME_SETTINGS, 0x2020_0004, vec![(INHERIT, Element::objects([GLOBAL_SETTINGS]))]),
        object(LOADER_SETTINGS, 0x2020_0003, vec![(INHERIT, Element::objects([GLOBAL_SETTINGS, HYPERVISOR_SETTINGS]))]),
        object(
            HYPERVISOR_SETTINGS,
            0x2020_0003,
            vec![
                (HYPERVISOR_DEBUGGER_TYPE, Element::Number(0)),
                (HYPERVISOR_DEBUGGER_PORT, Element::Number(1)),
                (HYPERVISOR_BAUD_RATE, Element::Number(115_200)),
            ],
        ),
    ]
}

impl Object {
    fn changes(&self) -> impl Iterator<Item = Change> {
        let key = format!("Objects\\{}", self.id);
        let kind = value(&format!("{key}\\Description"), "Type", Data::dword(self.kind));
        // There is one, even if it has nothing in it.
        let list = Change { key: format!("{key}\\Elements"), action: Action::CreateKey };
        let elements = self
            .elements
            .iter()
            .map(move |(kind, element)| value(&format!("{key}\\Elements\\{kind:08x}"), "Element", element.data()));
        [kind, list].into_iter().chain(elements)
    }
}

impl Element {
    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn objects<'i>(ids: impl IntoIterator<Item = &'i str>) -> Self {
        Self::Objects(ids.into_iter().map(str::to_owned).collect())
    }

    fn data(&self) -> Data {
        match self {
            Self::Device(partition) => Data::binary(partition.device().to_vec()),
            Self::Text(text) | Self::Object(text) => Data::text(REG_SZ, text),
            Self::Objects(ids) => Data::texts(ids.iter().map(String::as_str)),
            Self::Number(number) => Data::binary(number.to_le_bytes().to_vec()),
            Self::Flag(flag) => Data::binary(vec![u8::from(*flag)]),
            Self::Numbers(numbers) => Data::binary(numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
        }
    }
}

impl Partition {
    /// A device: no further options (16 bytes), its kind, its length from there on, and the partition.
    fn device(&self) -> [u8; 88] {
        const PARTITION: u8 = 6;
        const LENGTH: u8 = 72;
        const STYLE_MBR: u8 = 1;
        let mut device = [0; 88];
        device[0x10] = PARTITION;
        device[0x18] = LENGTH;
        match self {
            Self::Gpt { disk, partition } => {
                device[0x20..0x30].copy_from_slice(partition);
                device[0x38..0x48].copy_from_slice(disk);
            }
            Self::Mbr { disk_signature, offset_bytes } => {
                device[0x20..0x28].copy_from_slice(&offset_bytes.to_le_bytes());
                device[0x34] = STYLE_MBR;
                device[0x38..0x3c].copy_from_slice(&disk_signature.to_le_bytes());
            }
        }
        device
    }
}

fn value(key: &str, name: &str, data: Data) -> Change {
    Change { key: key.to_owned(), action: Action::SetValue { name: name.to_owned(), data } }
}

/// Random bytes as a GUID (RFC 9562, version 4).
fn id(random: &[u8; 16]) -> String {
    let mut bytes = *random;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let (a, b, c, d, e) = (&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]);
    format!("{{{a}-{b}-{c}-{d}-{e}}}")
}

#[cfg(test)]
mod tests;
