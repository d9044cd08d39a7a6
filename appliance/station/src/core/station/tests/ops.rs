// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What may happen to a station, and how often.

use platen_events::{JobKind, Work};
use proptest::prelude::*;

use super::ClientId;
use crate::config::{Accepts, DriveClass, Port, PortMap};
use crate::core::settings::Settings;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) const PORTS: usize = 4;
pub(super) const MEDIUM: &str = "TREE-r1";
pub(super) const BOSS: ClientId = ClientId(1);
pub(super) const GUEST: ClientId = ClientId(2);

/// What may happen next. `usize` chooses among what there is.
#[derive(Debug, Clone)]
pub(super) enum Op {
    /// A drive is inserted; in a port that has one, it takes that one's place.
    Insert {
        socket: usize,
        serial: Option<u8>,
        class: DriveClass,
        small: bool,
    },
    Pull(usize),
    Recall(usize),
    /// The drive under the name is the one, or another one by now.
    Look {
        which: usize,
        is_other: bool,
        fails: bool,
    },
    Prepare {
        which: usize,
        fails: bool,
    },
    JobGoesOn {
        which: usize,
        goes_well: bool,
    },
    /// A job that has written cuts its drive's power, the drive goes, comes back, and the job says so: one of these each time.
    /// Who watches the ports may be late.
    CutPower {
        which: usize,
        is_late: bool,
    },
    /// Who watches the ports has seen everything.
    CatchUp,
    JobOver(usize),
    StartsFail,
    Arm {
        kind: JobKind,
        wanted: Option<u32>,
        ports: Vec<usize>,
    },
    Disarm(Vec<usize>),
    /// With the drive that is there, or one that was there before.
    Start {
        socket: usize,
        kind: JobKind,
        stale: bool,
    },
    Cancel(Vec<usize>),
    Pause(usize, bool),
    /// The next drive that is inserted shows which port it is.
    Learn(usize),
    LearnEnd(bool),
    /// Somebody without a role asks for something.
    Trespass(usize),
    Condition(bool),
    Restart,
    Stop,
}

pub(super) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let which = 0..8_usize;
    let socket = || 0..PORTS + 1;
    let ports = || prop::collection::vec(0..PORTS, 0..3);
    let kind = || prop::sample::select(vec![JobKind::Write, JobKind::Write, JobKind::Test, JobKind::EraseQuick]);
    let class = prop_oneof![6 => Just(DriveClass::UsbRemovable), 1 => Just(DriveClass::Sata)];
    let wanted = prop::option::of(1..4_u32);
    let op = prop_oneof![
        8 => (socket(), prop::option::weighted(0.8, 0..5_u8), class, prop::bool::weighted(0.1))
            .prop_map(|(socket, serial, class, small)| Op::Insert { socket, serial, class, small }),
        4 => socket().prop_map(Op::Pull),
        8 => which.clone().prop_map(Op::Recall),
        8 => (which.clone(), prop::bool::weighted(0.1), prop::bool::weighted(0.1))
            .prop_map(|(which, is_other, fails)| Op::Look { which, is_other, fails }),
        8 => (which.clone(), prop::bool::weighted(0.1)).prop_map(|(which, fails)| Op::Prepare { which, fails }),
        24 => (which.clone(), prop::bool::weighted(0.85))
            .prop_map(|(which, goes_well)| Op::JobGoesOn { which, goes_well }),
        16 => (which.clone(), prop::bool::weighted(0.3))
            .prop_map(|(which, is_late)| Op::CutPower { which, is_late }),
        3 => Just(Op::CatchUp),
        6 => which.prop_map(Op::JobOver),
        1 => Just(Op::StartsFail),
        3 => (kind(), wanted, ports()).prop_map(|(kind, wanted, ports)| Op::Arm { kind, wanted, ports }),
        1 => ports().prop_map(Op::Disarm),
        3 => (socket(), kind(), prop::bool::weighted(0.2))
            .prop_map(|(socket, kind, stale)| Op::Start { socket, kind, stale }),
        1 => ports().prop_map(Op::Cancel),
        1 => (0..PORTS, any::<bool>()).prop_map(|(port, is_paused)| Op::Pause(port, is_paused)),
        1 => (0..PORTS).prop_map(Op::Learn),
        2 => any::<bool>().prop_map(Op::LearnEnd),
        1 => (0..12_usize).prop_map(Op::Trespass),
        1 => any::<bool>().prop_map(Op::Condition),
        1 => Just(Op::Restart),
        1 => prop::bool::weighted(0.05).prop_map(|stops| if stops { Op::Stop } else { Op::Pull(0) }),
    ];
    prop::collection::vec(op, 0..160)
}

pub(super) fn label(number: usize) -> String {
    (number + 1).to_string()
}

pub(super) fn settings() -> Settings {
    let port = |number| Port {
        label: label(number),
        socket: format!("socket-{number}"),
        accepts: Accepts::default(),
        row: None,
        column: None,
        bank: None,
    };
    let map = PortMap::new((0..PORTS).map(port).collect()).expect("good");
    let mut settings = Settings { map, ..Settings::default() };
    settings.policy.smallest_drive_bytes = Some(1000);
    settings
}

/// One of these, if there are any.
pub(super) fn nth<T: Clone>(items: impl IntoIterator<Item = T>, at: usize) -> Option<T> {
    let items: Vec<T> = items.into_iter().collect();
    items.get(at.checked_rem(items.len())?).cloned()
}

pub(super) fn failure() -> Failure {
    Failure::new(Exit::Policy, "no")
}

pub(super) fn work(kind: JobKind) -> Work {
    Work { kind, medium: (kind == JobKind::Write).then(|| MEDIUM.to_owned()) }
}
