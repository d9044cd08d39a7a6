// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A medium in a cache, a plan, and what a right drive looks like.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use platen_cache::{Cache, CachedMedia};
use platen_disk::{DriveIds, grub};
use platen_engine::plan::{DriveShape, WritePlan, plan};
use platen_engine::{
    Clock, Drive, Engine, EventReceiver, GivenUp, Journal, Limits, NewEntry, Sources, Unrecorded, event_queue,
};
use platen_events::{Code, DriveLabel, Event, JobEnd, JobId, Moved, StationState, Verdict};
use platen_ledger::Ledger;
use platen_media::manifest::{
    BiosBoot, BiosRecords, Blob, BlobSlice, ContentKind, ImagePart, Location, Manifest, MediaKind, RawImage, Scheme,
};
use platen_media::sign::TrustedKeys;
use platen_media::{Blake3, Sha256, Timestamp};
use tempfile::TempDir;

use crate::fake::{Fake, Fault, pooled};
use crate::media::{MADE_S, Pack, Signer, author, import, manifest, name, noise};

/// A clock that stands still: two runs with the same plan give the same bytes.
pub(crate) struct Still(pub(crate) Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_s(MADE_S + 1000)
}

pub(crate) const IDS: DriveIds = DriveIds {
    disk_signature: 0x1234_5678,
    volume_serial: 0x50a7_e201,
    disk_guid: [0x11; 16],
    esp_guid: [0x22; 16],
    bios_boot_guid: [0x33; 16],
};

/// What is done with one drive of several.
pub(crate) fn job_of(plan: &WritePlan, drive: impl Drive + 'static) -> (platen_engine::Job, Told) {
    let (events, receiver) = event_queue();
    let job = platen_engine::Job {
        id: JobId(1),
        task: platen_engine::Task::Plan(Box::new(plan.clone())),
        drive: Box::new(drive),
        events,
    };
    (job, Told { receiver, events: Mutex::default() })
}

/// What a job has told.
pub(crate) struct Told {
    receiver: EventReceiver,
    events: Mutex<Vec<Event>>,
}

impl Told {
    /// All of it, up to now.
    pub(crate) fn so_far(&self) -> Vec<Event> {
        let mut events = self.events.lock().unwrap();
        events.extend(std::iter::from_fn(|| self.receiver.recv_timeout(Duration::ZERO)));
        events.clone()
    }
}

/// Room for a FAT32 volume with the smallest clusters, and some.
pub(crate) const DRIVE_BYTES: usize = 40 << 20;

/// Where nothing needs saving to disk.
fn memory_dir() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    dir.unwrap()
}

pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) cache: Cache,
    pub(crate) media: CachedMedia,
    pub(crate) keys: TrustedKeys,
    pub(crate) engine: Recorded,
}

/// Small files, files that are aligned, an empty one: 5 MiB in all.
pub(crate) fn contents(seed: u64) -> Vec<Pack> {
    let mut boot = Pack::small("BOOT0001", seed);
    boot.kind = ContentKind::BootKit;
    boot.files.push(("EFI/BOOT/BOOTX64.EFI".to_owned(), noise(seed + 1, 70_000)));
    boot.files.push(("boot/grub/grub.cfg".to_owned(), b"set timeout=0\n".to_vec()));
    vec![
        boot,
        Pack::single("OSD00001", "platen/content/OSD00001/install.wim", noise(seed + 2, (3 << 20) + 333)),
        Pack::single("PKG00001", "platen/content/PKG00001/A rather long file name.cab", noise(seed + 3, (1 << 20) + 1)),
    ]
}

/// GRUB's images with their fields and no code.
fn grub_images() -> (Vec<u8>, Vec<u8>) {
    let mut boot = noise(90, 512);
    boot[0x5c..0x64].copy_from_slice(&1_u64.to_le_bytes());
    boot[0x66..0x68].copy_from_slice(&[0xeb, 0x05]);
    boot[0x1fe..].copy_from_slice(&[0x55, 0xaa]);
    let mut core = noise(91, 30_001);
    let following = (core.len().div_ceil(512) - 1) as u16;
    core[0x1fc..0x1fe].copy_from_slice(&following.to_le_bytes());
    core[0x1fe..0x200].copy_from_slice(&0x820_u16.to_le_bytes());
    (boot, core)
}

/// Give a medium BIOS boot code.
pub(crate) fn add_bios(manifest: &mut Manifest, blobs: &mut Vec<Vec<u8>>) {
    let (boot, core) = grub_images();
    let blob = [&boot[..], &core].concat();
    let number = manifest.blobs.len() as u32;
    let slice = |offset: usize, bytes: &[u8]| BlobSlice {
        at: Location { blob: number, offset_bytes: offset as u64 },
        size_bytes: bytes.len() as u64,
        blake3: Blake3::of(bytes),
    };
    let records = Scheme::ALL.map(|scheme| {
        let mut patched = grub::patch(&boot, &core, scheme).unwrap();
        patched.core.resize(patched.core.len().next_multiple_of(512), 0);
        BiosRecords {
            scheme,
            boot_code_blake3: Blake3::of(&patched.boot_code),
            core_size_bytes: patched.core.len() as u64,
            core_blake3: Blake3::of(&patched.core),
        }
    });
    manifest.bios = Some(BiosBoot {
        boot_img: slice(0, &boot),
        core_mbr: slice(512, &core),
        core_gpt: slice(512, &core),
        records: records.into(),
    });
    manifest.blobs.push(Blob { sha256: Sha256::of(&blob), size_bytes: blob.len() as u64 });
    blobs.push(blob);
}

/// A disk image of 9 MiB with a hole; its first part is bigger than one piece.
pub(crate) fn raw_manifest() -> (Manifest, Vec<Vec<u8>>) {
    let (mut manifest, mut blobs) = manifest("RAW00001", 1, &[]);
    let mut blob = noise(5, 5 << 20);
    // A partition table, so that a written drive can be told from a wiped one.
    blob[0x1be..0x1ce].copy_from_slice(&[0x80, 0, 0, 0, 0x0c, 0, 0, 0, 0, 8, 0, 0, 0, 0x40, 0, 0]);
    blob[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    blob.extend(noise(6, 2 << 20));
    let part = |offset: u64, size: u64, at: u64| ImagePart {
        offset_bytes: offset,
        size_bytes: size,
        blake3: Blake3::of(&blob[at as usize..(at + size) as usize]),
        at: Location { blob: 0, offset_bytes: at },
    };
    manifest.kind = MediaKind::Raw;
    let parts = vec![part(0, 5 << 20, 0), part(7 << 20, 2 << 20, 5 << 20)];
    manifest.image = Some(RawImage { size_bytes: 9 << 20, needed_bytes: None, sector_bytes: None, parts, gpt: None });
    manifest.blobs = vec![Blob { sha256: Sha256::of(&blob), size_bytes: blob.len() as u64 }];
    blobs.push(blob);
    (manifest, blobs)
}

impl Bench {
    /// Files with BIOS boot code.
    pub(crate) fn files() -> Self {
        let (mut manifest, mut blobs) = manifest("PLT00001", 1, &contents(1));
        add_bios(&mut manifest, &mut blobs);
        Self::with(&manifest, &blobs)
    }

    pub(crate) fn raw() -> Self {
        let (manifest, blobs) = raw_manifest();
        Self::with(&manifest, &blobs)
    }

    pub(crate) fn with(manifest: &Manifest, blobs: &[Vec<u8>]) -> Self {
        Self::signed(&Signer::new(), manifest, blobs)
    }

    pub(crate) fn signed(signer: &Signer, manifest: &Manifest, blobs: &[Vec<u8>]) -> Self {
        assert_eq!(manifest.problems(), Vec::<String>::new());
        let dir = memory_dir();
        let keys = signer.keys();
        let source = author(&dir.path().join("source"), signer, manifest, blobs);
        let cache = Cache::open(&dir.path().join("cache"), None).unwrap();
        import(&cache, &source, &keys).unwrap();
        let media = cache.load(&name(&manifest.id), &keys).unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.db")).unwrap();
        Self { dir, cache, media, keys, engine: Recorded::still(ledger) }
    }

    /// Where the station keeps a blob of the medium.
    pub(crate) fn blob_path(&self, index: usize) -> PathBuf {
        self.cache.layout().blob_path(self.media.manifest().blobs[index].sha256)
    }

    pub(crate) fn plan(&self, scheme: Scheme) -> WritePlan {
        self.plan_for(scheme, DRIVE_BYTES as u64, 512)
    }

    pub(crate) fn plan_for(&self, scheme: Scheme, size_bytes: u64, sector_bytes: u32) -> WritePlan {
        plan(&self.media, DriveShape { size_bytes, sector_bytes }, scheme, IDS, now()).unwrap()
    }

    pub(crate) fn write(&self, plan: &WritePlan, drive: &mut Fake) -> JobEnd {
        observe(&self.engine, plan, drive, &AtomicBool::new(false)).0
    }

    /// What a drive without faults holds afterwards.
    pub(crate) fn golden(&self, plan: &WritePlan) -> Vec<u8> {
        let mut drive = Fake::new(used(plan), plan.shape().sector_bytes);
        let outcome = self.write(plan, &mut drive);
        assert!(is_ready(&outcome), "{outcome:?}");
        assert!(is_armed(&drive.memory));
        std::mem::take(&mut drive.memory)
    }
}

/// Run a job and listen: what is told must be a possible history, and the job's own.
pub(crate) fn observe(
    engine: &Engine,
    plan: &WritePlan,
    drive: &mut dyn Drive,
    cancelled: &AtomicBool,
) -> (JobEnd, Vec<Event>) {
    let events = Mutex::new(Vec::new());
    let outcome = engine.run(plan, drive, &|event| events.lock().unwrap().push(event), cancelled);
    let events = events.into_inner().unwrap();
    assert_told(&events, &outcome, false);
    (outcome, events)
}

/// Run a job on a drive that does as `rigged` wants.
pub(crate) fn write(engine: &Engine, plan: &WritePlan, drive: &mut dyn Drive) -> JobEnd {
    observe(engine, plan, drive, &AtomicBool::new(false)).0
}

/// What was told of one job is a possible history that ends as the job did, and says whether the drive was let go.
pub(crate) fn assert_told(events: &[Event], end: &JobEnd, is_released: bool) {
    let Some(Event::JobStarted { job, drive, .. }) = events.first() else { panic!("it was never begun: {events:?}") };
    let mut state = StationState::default();
    let seen = Event::DriveSeen { drive: drive.clone(), label: DriveLabel::default() };
    for event in std::iter::once(&seen).chain(events) {
        state.apply(event).unwrap_or_else(|illegal| panic!("{illegal}: {events:#?}"));
    }
    let (told, _) = state.job(*job).unwrap();
    assert_eq!((told.end.as_ref(), told.released), (Some(end), is_released), "{events:#?}");
    assert_eq!(events.iter().filter(|event| matches!(event, Event::JobEnded { .. })).count(), 1);
    let mut again = StationState::default();
    state.replicate().iter().for_each(|event| again.apply(event).unwrap());
    assert_eq!(again, state);
}

/// An engine, and the ledger it records in.
pub(crate) struct Recorded {
    engine: Arc<Engine>,
    pub(crate) ledger: Arc<Ledger>,
}

/// The ledger, but for its signatures: those are other ones each time, and two drives with the same plan must be equal here.
struct SignsAlike(Arc<Ledger>);

impl Journal for SignsAlike {
    fn append(&self, entry: &NewEntry) -> Result<(), Unrecorded> {
        Journal::append(&*self.0, entry)
    }

    fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, Unrecorded> {
        self.0.sign(bytes, comment).map(|real| Sha256::of(bytes).to_string().repeat(real.len() / 64))
    }
}

impl Recorded {
    pub(crate) fn new(ledger: Ledger, clock: Box<dyn Clock + Send>, limits: Limits) -> Self {
        let ledger = Arc::new(ledger);
        let (name, journal) = ("station".to_owned(), Arc::new(SignsAlike(Arc::clone(&ledger))));
        let (sources, given_up) = (Sources::new(), GivenUp::default());
        Self { engine: Arc::new(Engine { name, clock, journal, sources, limits, given_up }), ledger }
    }

    /// The engine before it works.
    pub(crate) fn idle(&mut self) -> &mut Engine {
        Arc::get_mut(&mut self.engine).expect("no job runs")
    }

    /// One whose clock stands still.
    pub(crate) fn still(ledger: Ledger) -> Self {
        Self::new(ledger, Box::new(Still(now())), Limits::default())
    }
}

impl Deref for Recorded {
    type Target = Arc<Engine>;

    fn deref(&self) -> &Arc<Engine> {
        &self.engine
    }
}

/// A drive of the plan's size that was used before: no byte is zero by accident, and there are old tables.
pub(crate) fn used(plan: &WritePlan) -> Vec<u8> {
    static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| noise(1234, DRIVE_BYTES));
    let size = plan.shape().size_bytes as usize;
    let mut memory = pooled();
    memory.reserve_exact(size);
    while memory.len() < size {
        memory.extend_from_slice(&PATTERN[..(size - memory.len()).min(PATTERN.len())]);
    }
    let sector = plan.shape().sector_bytes as usize;
    for at in [0, 1 << 20, (1 << 20) + 6 * sector] {
        memory[at + 510..at + 512].copy_from_slice(&[0x55, 0xaa]);
        memory[at..at + 3].copy_from_slice(&[0xeb, 0x58, 0x90]);
    }
    for at in [sector, size - sector] {
        memory[at..at + 8].copy_from_slice(b"EFI PART");
    }
    memory
}

/// A copy in pooled memory.
pub(crate) fn copy(memory: &[u8]) -> Vec<u8> {
    let mut copy = pooled();
    copy.extend_from_slice(memory);
    copy
}

/// Somebody would take this for a drive with partitions.
pub(crate) fn is_armed(memory: &[u8]) -> bool {
    memory[510..512] == [0x55, 0xaa]
}

/// Anything left by which firmware or an operating system would recognise it.
pub(crate) fn recognisable(memory: &[u8], sector: usize) -> Option<&'static str> {
    let boot = 1 << 20;
    let size = memory.len();
    if is_armed(memory) {
        Some("a signature in sector 0")
    } else if [boot, boot + 6 * sector].iter().any(|at| memory[at + 510..at + 512] == [0x55, 0xaa]) {
        Some("a FAT boot sector")
    } else if [sector, size - sector].iter().any(|at| &memory[*at..at + 8] == b"EFI PART") {
        Some("a GPT")
    } else {
        None
    }
}

/// Every byte the plan covers is right.
pub(crate) fn is_right(plan: &WritePlan, memory: &[u8], golden: &[u8]) -> bool {
    plan.payload().iter().chain(plan.seal()).all(|extent| {
        let range = extent.offset_bytes as usize..(extent.offset_bytes + extent.len_bytes) as usize;
        memory[range.clone()] == golden[range]
    })
}

/// The drive with zeros wherever the plan puts nothing.
pub(crate) fn only_planned(plan: &WritePlan, memory: &[u8]) -> Vec<u8> {
    let mut only = vec![0; memory.len()];
    for extent in plan.payload().iter().chain(plan.seal()) {
        let range = extent.offset_bytes as usize..(extent.offset_bytes + extent.len_bytes) as usize;
        only[range.clone()].copy_from_slice(&memory[range]);
    }
    only
}

pub(crate) fn is_ready(end: &JobEnd) -> bool {
    end.verdict == Verdict::Ready
}

/// What was moved by a job that ended well.
pub(crate) fn moved(end: &JobEnd) -> Moved {
    assert!(end.verdict.is_success(), "{end:?}");
    end.moved.unwrap()
}

/// The operator's code of a job that failed.
pub(crate) fn code(end: &JobEnd) -> Option<Code> {
    end.verdict.code()
}

/// The plan's drive, used before, with a fault.
pub(crate) fn faulty(plan: &WritePlan, fault: Fault) -> Fake {
    let mut drive = Fake::new(used(plan), plan.shape().sector_bytes);
    drive.fault = fault;
    drive
}
