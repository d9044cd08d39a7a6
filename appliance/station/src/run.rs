// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One order from its request to its end: what the command line does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use platen_device::process;
use platen_engine::reserve_memory;
use platen_events::{Event, JobId, StationState};

use crate::attend::LOOK;
use crate::core::{Dispatch, OrderEffect, OrderId, OrderInput, Outcome};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hands::Hands;
use crate::order::Order;
use crate::paths::Paths;

/// Who hears what happens.
pub trait Front {
    /// The first job is about to be begun; nothing was touched yet.
    fn ready(&mut self);
    /// The next thing that happened.
    fn tell(&mut self, event: Event);
}

/// An order that is over.
#[derive(Debug)]
pub struct Finished {
    /// How it came out.
    pub outcome: Outcome,
    /// All that was told, as a state.
    pub record: StationState,
    /// Drives that hang, and are held until they answer or are pulled.
    pub still_held: usize,
}

impl Finished {
    /// The job of each drive that had one, in the order in which people named the drives.
    pub fn jobs(&self) -> &[JobId] {
        match &self.outcome {
            Outcome::Done { jobs, .. } => jobs,
            _ => &[],
        }
    }
}

/// The number of the only order.
const ORDER: OrderId = OrderId(1);

/// Carry out an order. `front` hears everything that happens, in order; setting `stop` ends it early. An error means that
/// the machine lacks what so many drives need, and nothing was looked at.
pub fn run(order: Order, paths: &Paths, stop: &Arc<AtomicBool>, front: &mut dyn Front) -> Result<Finished, Failure> {
    let (count, machine) = (order.drives.len(), |error: std::io::Error| Failure::new(Exit::Machine, error));
    process::reserve_handles(count).map_err(machine)?;
    let missing = |error| std::io::Error::other(format!("there is not enough memory for {count} drive(s): {error}"));
    reserve_memory(count).map_err(missing).map_err(machine)?;
    let (mut dispatch, mut hands) = (Dispatch::default(), Hands::with_journal(paths, order.limits, stop, None));
    let mut inputs = VecDeque::from([OrderInput::Ask(ORDER, order.request())]);
    hands.take(ORDER, Ok(order));
    let (mut is_ready, mut is_stop_told) = (false, false);
    let outcome = loop {
        if stop.load(Ordering::Relaxed) && !std::mem::replace(&mut is_stop_told, true) {
            inputs.push_back(OrderInput::Stop(ORDER));
        }
        let Some(input) = inputs.pop_front() else {
            inputs.extend(hands.listen(LOOK));
            continue;
        };
        let mut outcome = None;
        for effect in dispatch.step(input) {
            match effect {
                OrderEffect::Tell(event) => front.tell(event),
                OrderEffect::Finish(_, finish) => outcome = Some(finish),
                effect => {
                    if matches!(effect, OrderEffect::Start(_)) && !std::mem::replace(&mut is_ready, true) {
                        front.ready();
                    }
                    hands.carry_out(effect, &mut inputs);
                }
            }
        }
        if let Some(outcome) = outcome {
            break outcome;
        }
    };
    if let Outcome::Done { succeeded, failed, cancelled, .. } = outcome {
        let content_read_bytes = hands.content_read_bytes();
        let ledger = paths.ledger.display().to_string();
        front.tell(Event::BatchEnded { succeeded, failed, cancelled, ledger, content_read_bytes });
    }
    Ok(Finished { outcome, record: dispatch.record().clone(), still_held: hands.still_held() })
}
