// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What people order: the same for some drives. An order knows how one drive is opened and what its job is.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use platen_cache::{CachedMedia, MediaRef};
use platen_device::{Candidate, Expected, OpenError, OpenedDrive, TargetPolicy};
use platen_engine::plan::{Erase, WritePlan, fresh_ids, plan_erase, plan_test, plan_update};
use platen_engine::verify::Check;
use platen_engine::{Clock, Drive, Journal, Limits, ReadDrive, SystemClock, Task, chain};
use platen_events::{Code, DriveId, DriveLabel, JobKind, Work};
use platen_media::examination::Depth;
use platen_media::manifest::Scheme;
use platen_media::sign::TrustedKeys;

use crate::attend::Signs;
use crate::check::MediumCheck;
use crate::core::{Admission, Request, Wanted};
use crate::exit::Exit;
use crate::failure::{Failure, open_failure};
use crate::incoming::ImportCheck;
use crate::look::look;
use crate::master::MasterCheck;
use crate::media::{load, new_plan, shape_of};
use crate::paths::Paths;
use crate::seat::{Again, Seat};

/// A drive that was opened, and what its job is.
pub(crate) type Prepared = (Box<dyn Drive>, Task);
/// Opens a drive that was found, and sees what is to be done with it.
type Prepare = dyn Fn(Candidate, &Signs) -> Result<Prepared, Failure> + Send + Sync;

/// Follows a name to what is behind it.
type Find = dyn Fn(&Path) -> Result<Candidate, OpenError> + Send + Sync;

/// Which drives are written to, and what is expected of them.
#[derive(Debug, Clone)]
pub struct Targets {
    /// By whatever name.
    pub drives: Vec<PathBuf>,
    /// The one drive is in a port of the station: it is this or none.
    pub seat: Option<Seat>,
    /// Block devices that are accepted although they are no removable USB drives.
    pub allowed: Vec<PathBuf>,
    /// When a drive is finished, let the kernel read its new partition table.
    pub rescan: bool,
    /// When a drive is given up or tried again.
    pub limits: Limits,
}

/// What is done with some drives.
pub struct Order {
    pub(crate) kind: JobKind,
    pub(crate) admission: Admission,
    pub(crate) drives: Vec<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) seat: Option<Seat>,
    pub(crate) find: Box<Find>,
    pub(crate) prepare: Box<Prepare>,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("kind", &self.kind).field("drives", &self.drives).finish_non_exhaustive()
    }
}

impl Order {
    /// Write a medium.
    pub fn write(media: CachedMedia, scheme: Scheme, targets: Targets, paths: &Paths) -> Result<Self, Failure> {
        let plan = move |drive: &mut OpenedDrive, _: &Signs| new_plan(&media, shape_of(drive), scheme);
        Self::planned(JobKind::Write, targets, paths, plan)
    }

    /// Write what differs from an older version of the medium that the drives carry.
    pub fn update(media: CachedMedia, keys: TrustedKeys, targets: Targets, paths: &Paths) -> Result<Self, Failure> {
        let plan = move |drive: &mut OpenedDrive, signs: &Signs| update_plan(&media, drive, &keys, signs);
        Self::planned(JobKind::Update, targets, paths, plan)
    }

    /// Erase, and prove it.
    pub fn erase(how: Erase, targets: Targets, paths: &Paths) -> Result<Self, Failure> {
        let kind = match how {
            Erase::Quick => JobKind::EraseQuick,
            Erase::Full => JobKind::EraseFull,
        };
        Self::planned(kind, targets, paths, move |drive, _| Ok(plan_erase(shape_of(drive), how)))
    }

    /// Fill, and read back.
    pub fn test(targets: Targets, paths: &Paths) -> Result<Self, Failure> {
        let nonce = getrandom::u64().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
        Self::planned(JobKind::Test, targets, paths, move |drive, _| Ok(plan_test(shape_of(drive), nonce)))
    }

    /// Compare with what was signed; nothing is changed. With `stations` one of these must have written the drive.
    pub fn verify(
        expected: Option<CachedMedia>,
        keys: TrustedKeys,
        stations: Option<TrustedKeys>,
        targets: Targets,
        paths: &Paths,
    ) -> Self {
        Self::checking(move || Ok(expected.clone()), keys, stations, targets, paths)
    }

    /// The same; what is expected is loaded when the drive is opened.
    fn checking(
        expected: impl Fn() -> Result<Option<CachedMedia>, Failure> + Send + Sync + 'static,
        keys: TrustedKeys,
        stations: Option<TrustedKeys>,
        targets: Targets,
        paths: &Paths,
    ) -> Self {
        let Targets { drives, seat, limits, .. } = targets;
        let (paths, own_seat) = (paths.clone(), seat.clone());
        let prepare = move |candidate: Candidate, _: &Signs| {
            let mut drive = candidate.for_reading().map_err(open_failure)?;
            let handle = handle_of(&mut drive)?;
            let (expected, keys, stations, paths) = (expected()?, keys.clone(), stations.clone(), paths.clone());
            let check = MediumCheck { expected, keys, stations, paths, handle };
            Ok((seated(own_seat.as_ref(), drive, None), Task::Check(Box::new(check))))
        };
        Self {
            kind: JobKind::Verify,
            admission: Admission::Each,
            drives,
            limits,
            find: finder(seat.clone()),
            seat,
            prepare: Box::new(prepare),
        }
    }

    /// What is to be done with a drive in a port of the station. The medium is loaded when the drive is opened, so that it is
    /// checked at that moment, and nobody else waits for it.
    pub(crate) fn for_seat(
        work: &Work,
        drive: PathBuf,
        seat: Seat,
        paths: &Paths,
        limits: Limits,
        journal: &Arc<dyn Journal>,
    ) -> Result<Self, Failure> {
        let targets = Targets { drives: vec![drive], seat: Some(seat), allowed: Vec::new(), rescan: false, limits };
        let medium = work.medium.as_ref().map(|medium| medium.parse::<MediaRef>()).transpose();
        let medium = medium.map_err(|error| Failure::new(Exit::Request, error.to_string()))?;
        let keys = TrustedKeys::load(&paths.trust)?;
        let (own_paths, own_keys) = (paths.clone(), keys.clone());
        let loaded = move || match &medium {
            Some(medium) => load(&own_paths, medium, &own_keys),
            None => Err(Failure::new(Exit::Request, "expected a medium, found none")),
        };
        match work.kind {
            JobKind::Write => Self::planned(work.kind, targets, paths, move |drive, _| {
                new_plan(&loaded()?, shape_of(drive), Scheme::Mbr)
            }),
            JobKind::Update => Self::planned(work.kind, targets, paths, move |drive, signs| {
                update_plan(&loaded()?, drive, &keys, signs)
            }),
            JobKind::EraseQuick => Self::erase(Erase::Quick, targets, paths),
            JobKind::EraseFull => Self::erase(Erase::Full, targets, paths),
            JobKind::Test => Self::test(targets, paths),
            JobKind::Verify => {
                let is_named = work.medium.is_some();
                let expected = move || is_named.then(&loaded).transpose();
                let limits = Limits { minimum_bytes_per_s: 0, ..targets.limits };
                Ok(Self::checking(expected, keys, None, Targets { limits, ..targets }, paths))
            }
            JobKind::ReadMaster => {
                let (paths, journal) = (paths.clone(), Arc::clone(journal));
                Ok(Self::reading(work.kind, targets, move |handle| {
                    let (keys, paths, journal) = (keys.clone(), paths.clone(), Arc::clone(&journal));
                    Box::new(MasterCheck { keys, paths, journal, handle, staged: None })
                }))
            }
            JobKind::Import => {
                let paths = paths.clone();
                Ok(Self::reading(work.kind, targets, move |handle| {
                    Box::new(ImportCheck { keys: keys.clone(), paths: paths.clone(), handle })
                }))
            }
            JobKind::Unknown => Err(Failure::new(Exit::Request, format!("{}: no work of a station", work.kind))),
        }
    }

    /// Read a drive for what is on it. `check` gets a handle of it for the process that looks at it.
    fn reading(
        kind: JobKind,
        targets: Targets,
        check: impl Fn(File) -> Box<dyn Check + Send> + Send + Sync + 'static,
    ) -> Self {
        let Targets { drives, seat, limits, .. } = targets;
        let own_seat = seat.clone();
        let prepare = move |candidate: Candidate, _: &Signs| {
            let mut drive = candidate.for_reading().map_err(open_failure)?;
            let handle = handle_of(&mut drive)?;
            Ok((seated(own_seat.as_ref(), drive, None), Task::Check(check(handle))))
        };
        let (find, prepare) = (finder(seat.clone()), Box::new(prepare));
        Self { kind, admission: Admission::Each, drives, limits, find, seat, prepare }
    }

    fn planned(
        kind: JobKind,
        targets: Targets,
        paths: &Paths,
        plan: impl Fn(&mut OpenedDrive, &Signs) -> Result<WritePlan, Failure> + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        let Targets { drives, seat, allowed, rescan, limits } = targets;
        let policy = TargetPolicy::new(&allowed, paths.own_files()).map_err(open_failure)?;
        let own_seat = seat.clone();
        // Nothing on an erased or tested drive says that it is the same.
        let is_cut = matches!(kind, JobKind::Write | JobKind::Update);
        let prepare = move |candidate: Candidate, signs: &Signs| {
            let switch = own_seat.as_ref().filter(|_| is_cut).map(Seat::switch).transpose()?.flatten();
            let opened = match &own_seat {
                Some(seat) => seat.open(candidate, &policy),
                None => {
                    let expected = Expected::of(candidate.facts());
                    candidate.for_writing(&expected, &policy)
                }
            };
            let mut drive = opened.map_err(open_failure)?;
            if rescan {
                drive.rescan_when_finished();
            }
            signs.alive();
            let plan = plan(&mut drive, signs)?;
            let again = switch.map(|switch| Again { switch, policy: policy.clone() });
            Ok((seated(own_seat.as_ref(), drive, again), Task::Plan(Box::new(plan))))
        };
        Ok(Self {
            kind,
            admission: Admission::Together,
            drives,
            limits,
            find: finder(seat.clone()),
            seat,
            prepare: Box::new(prepare),
        })
    }

    pub(crate) fn request(&self) -> Request {
        Request {
            kind: self.kind,
            admission: self.admission,
            stall_limit: self.limits.stall,
            drives: self.drives.iter().map(|path| wanted(path)).collect(),
        }
    }
}

/// Whatever is behind a name.
fn wanted(path: &Path) -> Wanted {
    let (drive, label) = asked_for(path);
    Wanted { drive, label, is_pinned: false }
}

fn finder(seat: Option<Seat>) -> Box<Find> {
    match seat {
        Some(seat) => Box::new(move |path| seat.find(path)),
        None => Box::new(Candidate::find),
    }
}

fn seated(seat: Option<&Seat>, drive: OpenedDrive, again: Option<Again>) -> Box<dyn Drive> {
    match seat {
        Some(seat) => seat.seated(drive, again),
        None => Box::new(drive),
    }
}

/// A drive of which nothing is known but what it is asked for by.
pub(crate) fn asked_for(path: &Path) -> (DriveId, DriveLabel) {
    let place = path.display().to_string();
    let port = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let label = DriveLabel { port, path: place.clone(), ..DriveLabel::default() };
    (DriveId { place, disk_sequence: None }, label)
}

/// A handle for the process that looks at the drive.
pub(crate) fn handle_of(drive: &mut OpenedDrive) -> Result<File, Failure> {
    drive.read_only_handle().map_err(|error| match drive.confirm() {
        Ok(()) => Failure::new(Exit::Machine, error),
        Err(_) => open_failure(OpenError::Gone { path: drive.facts().drive.path.clone().into() }),
    })
}

/// The plan of a drive that carries an older version of the medium.
fn update_plan(
    media: &CachedMedia,
    drive: &mut OpenedDrive,
    keys: &TrustedKeys,
    signs: &Signs,
) -> Result<WritePlan, Failure> {
    let path = drive.facts().drive.path.clone();
    let handle = handle_of(drive)?;
    let seen = look(handle, drive.facts().size_bytes, Depth::Places, signs);
    drive.confirm().map_err(|_| open_failure(OpenError::Gone { path: path.clone().into() }))?;
    let found = seen?.map_err(|died| {
        let text = format!("{path}: what is on it can't be read: {}", chain(&died));
        Failure::new(Exit::Request, text).coded(Code::NothingToUpdate)
    })?;
    let ids = fresh_ids().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    plan_update(media, shape_of(drive), &found, ids, keys, SystemClock::new().now()).map_err(|error| {
        let exit = if error.is_policy() { Exit::Policy } else { Exit::Request };
        Failure::new(exit, format!("{path}: {}", chain(&error))).coded(error.code())
    })
}
