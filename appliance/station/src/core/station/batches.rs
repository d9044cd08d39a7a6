// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Batches: so many good copies of one thing, counted from arming on.
//!
//! The ledger is the truth of what was done: of the drives that were under way when the program ended, it knows what came of
//! them.

use platen_events::{BatchId, Event, JobKind, PortMode, PortUse, Work};
use serde::{Deserialize, Serialize};

use super::memory::Counts;
use super::ports::{Port, Stage};
use super::{Effect, Inside, Reply, Station};
use crate::core::request::Outcome;
use crate::exit::Exit;
use crate::failure::Failure;

/// How far a batch is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Batch {
    pub(super) work: Work,
    pub(super) wanted: Option<u32>,
    /// Copies that the ledger has in rows up to this one are of earlier batches.
    pub(super) since_row: u64,
    pub(super) counts: Counts,
}

impl Station {
    /// From now on, do this with every drive in these ports.
    pub(super) fn arm(
        &mut self,
        names: &[String],
        work: Work,
        wanted: Option<u32>,
        effects: &mut Vec<Effect>,
    ) -> Result<Reply, Failure> {
        self.check_work(&work)?;
        if matches!(work.kind, JobKind::ReadMaster | JobKind::Import) {
            // What each drive that comes carries would be in the cache.
            let text = format!("{}: one drive is meant; start it in its port", work.kind);
            return Err(Failure::new(Exit::Request, text));
        }
        if wanted == Some(0) {
            return Err(Failure::new(Exit::Request, "wanted: expected at least 1 good copy, found 0"));
        }
        let batch = self.open_batch(work.clone(), wanted, effects);
        for name in names {
            let used =
                PortUse { mode: PortMode::Armed, work: Some(work.clone()), batch: Some(batch), is_paused: false };
            self.set_use(name, |now| *now = used, effects);
            self.await_work(name, effects);
        }
        self.close_unused(effects);
        Ok(Reply::Armed { batch })
    }

    pub(super) fn disarm(&mut self, names: &[String], effects: &mut Vec<Effect>) {
        for name in names {
            let kiosk = PortUse::default();
            self.set_use(name, |used| *used = PortUse { is_paused: used.is_paused, ..kiosk }, effects);
        }
        self.close_unused(effects);
    }

    fn open_batch(&mut self, work: Work, wanted: Option<u32>, effects: &mut Vec<Effect>) -> BatchId {
        self.last_batch += 1;
        let id = BatchId(self.last_batch);
        let batch = Batch { work: work.clone(), wanted, since_row: self.ledger_row, counts: Counts::default() };
        self.batches.insert(id, batch);
        self.tell(Event::BatchStarted { batch: id, work, wanted }, effects);
        id
    }

    /// How many drives are in the making for a batch.
    fn under_way(&self, id: BatchId) -> usize {
        let is_for =
            |inside: &&Inside| matches!(inside.stage, Stage::Ordered { batch: Some(batch), .. } if batch == id);
        let here = self.ports.values().filter_map(|port: &Port| port.inside.as_ref());
        here.chain(self.leaving.values()).filter(is_for).count()
    }

    /// One more good copy is wanted than there will be.
    pub(super) fn has_room(&self, id: Option<BatchId>) -> bool {
        let Some((id, batch)) = id.and_then(|id| Some((id, self.batches.get(&id)?))) else { return true };
        let coming = u64::from(batch.counts.good) + self.under_way(id) as u64;
        batch.wanted.is_none_or(|wanted| coming < u64::from(wanted))
    }

    /// A drive of a batch has come to its end.
    pub(super) fn count(&mut self, id: BatchId, outcome: &Outcome, effects: &mut Vec<Effect>) {
        let Some(batch) = self.batches.get_mut(&id) else { return };
        match outcome {
            Outcome::Done { succeeded, failed, refused, .. } => {
                batch.counts.good += succeeded;
                batch.counts.failed += failed;
                batch.counts.refused += refused.len() as u32;
            }
            Outcome::Refused(_) | Outcome::NotStarted(_) => batch.counts.refused += 1,
            Outcome::Stopped => {}
        }
        let Counts { good, failed, refused } = batch.counts;
        self.tell(Event::BatchCounted { batch: id, good, failed, refused }, effects);
        self.go_on_if_full(id, effects);
        self.close_unused(effects);
    }

    /// A batch that has all its good copies is closed, and its ports work for the next one.
    pub(super) fn go_on_if_full(&mut self, id: BatchId, effects: &mut Vec<Effect>) {
        let Some(batch) = self.batches.get(&id) else { return };
        if batch.wanted.is_none_or(|wanted| batch.counts.good < wanted) {
            return;
        }
        let (work, wanted) = (batch.work.clone(), batch.wanted);
        let ports = self.ports.iter().filter(|(_, port)| port.used.batch == Some(id));
        let names: Vec<String> = ports.map(|(name, _)| name.clone()).collect();
        if !names.is_empty() {
            let next = self.open_batch(work, wanted, effects);
            names.iter().for_each(|name| self.set_use(name, |used| used.batch = Some(next), effects));
        }
    }

    /// A batch that no port works for, and no drive is in the making for, is over.
    pub(super) fn close_unused(&mut self, effects: &mut Vec<Effect>) {
        let is_used =
            |id: BatchId| self.ports.values().any(|port| port.used.batch == Some(id)) || self.under_way(id) > 0;
        let unused: Vec<BatchId> = self.batches.keys().copied().filter(|id| !is_used(*id)).collect();
        for batch in unused {
            self.batches.remove(&batch);
            self.tell(Event::BatchClosed { batch }, effects);
        }
    }
}
