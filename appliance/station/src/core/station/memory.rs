// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a station remembers from one start of its program to the next. Nothing half-made is among it: a drive that was in
//! the making is a drive like any other that is inserted.

use std::collections::BTreeMap;

use platen_events::{BatchId, DriveId, Event, PortMode, PortUse, Work};
use serde::{Deserialize, Serialize};

use super::batches::Batch;
use super::ports::{Inside, Port, Stage};
use super::{Effect, Station};
use crate::core::dispatch::Dispatch;
use crate::core::settings::Settings;

/// What came of the drives of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Drives whose job reached what it was for.
    pub good: u32,
    /// Drives that may not be used.
    pub failed: u32,
    /// Drives that were taken no job for.
    pub refused: u32,
}

/// A drive in the making, of which the ledger may have a row when the program is started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWay {
    /// The port's label.
    pub port: String,
    /// Which drive.
    pub drive: DriveId,
    /// Its row comes after this one.
    pub since_row: u64,
}

/// What is kept of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchMemory {
    /// What is done with each drive.
    pub work: Work,
    /// How many good copies end it. None: somebody ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<u32>,
    /// Copies that the ledger has in rows up to this one are of earlier batches.
    pub since_row: u64,
    /// What came of the drives that are not under way any more.
    pub counts: Counts,
    /// Those that are.
    pub under_way: Vec<UnderWay>,
}

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The number of the job that was begun last.
    pub last_job: u64,
    /// The number of the batch that was started last.
    pub last_batch: u64,
    /// What ports are used for that are not used as their settings say.
    pub ports: BTreeMap<String, PortUse>,
    /// Batches that were not closed.
    pub batches: BTreeMap<BatchId, BatchMemory>,
}

/// What a port is used for until somebody says something.
pub(super) fn unused(settings: &Settings, label: &str) -> PortUse {
    let mode = if settings.armed.contains(label) { PortMode::Armed } else { PortMode::Kiosk };
    PortUse { mode, ..PortUse::default() }
}

impl Station {
    /// The first input. `counts` are what the ledger has of the drives that were under way. Ports that are there no more are forgotten, and batches that no port works for.
    pub(super) fn begin(
        &mut self,
        settings: Settings,
        memory: Memory,
        counts: Vec<(BatchId, Counts)>,
        effects: &mut Vec<Effect>,
    ) {
        self.dispatch = Dispatch::after_job(memory.last_job);
        self.last_batch = memory.last_batch;
        let counts: BTreeMap<BatchId, Counts> = counts.into_iter().collect();
        for (id, BatchMemory { work, wanted, since_row, counts: before, .. }) in memory.batches.clone() {
            let since = counts.get(&id).copied().unwrap_or_default();
            let counts = Counts {
                good: before.good + since.good,
                failed: before.failed + since.failed,
                refused: before.refused + since.refused,
            };
            self.batches.insert(id, Batch { work: work.clone(), wanted, since_row, counts });
            self.tell(Event::BatchStarted { batch: id, work, wanted }, effects);
            let Counts { good, failed, refused } = counts;
            self.tell(Event::BatchCounted { batch: id, good, failed, refused }, effects);
        }
        for port in settings.map.ports() {
            let kept = memory.ports.get(&port.label).filter(|used| match used.batch {
                Some(batch) => self.batches.contains_key(&batch),
                None => true,
            });
            let used = kept.cloned().unwrap_or_else(|| unused(&settings, &port.label));
            self.ports.insert(
                port.label.clone(),
                Port { mapped: Some(port.clone()), used: used.clone(), inside: None, lost: None },
            );
            self.tell(Event::PortSet { port: port.label.clone(), used }, effects);
        }
        self.settings = settings;
        self.saved = memory;
        let ids: Vec<BatchId> = self.batches.keys().copied().collect();
        ids.into_iter().for_each(|id| self.go_on_if_full(id, effects));
        self.close_unused(effects);
    }

    fn memory(&self) -> Memory {
        let under_way = |id: BatchId| {
            let inside = self.ports.values().filter_map(|port| port.inside.as_ref()).chain(self.leaving.values());
            let drive = move |inside: &Inside| match inside.stage {
                Stage::Ordered { batch: Some(batch), since_row, .. } if batch == id => {
                    let (port, drive) = (inside.inserted.label.port.clone(), inside.inserted.drive.clone());
                    Some(UnderWay { port, drive, since_row })
                }
                _ => None,
            };
            inside.filter_map(drive).collect()
        };
        let kept = |(id, batch): (&BatchId, &Batch)| {
            let Batch { work, wanted, since_row, counts } = batch.clone();
            (*id, BatchMemory { work, wanted, since_row, counts, under_way: under_way(*id) })
        };
        let used = self.ports.iter().filter(|(name, port)| port.used != unused(&self.settings, name));
        Memory {
            last_job: self.dispatch.last_job(),
            last_batch: self.last_batch,
            ports: used.map(|(name, port)| (name.clone(), port.used.clone())).collect(),
            batches: self.batches.iter().map(kept).collect(),
        }
    }

    /// Keep what has changed.
    pub(super) fn save(&mut self, effects: &mut Vec<Effect>) {
        let memory = self.memory();
        if memory != self.saved {
            self.saved = memory.clone();
            effects.push(Effect::Save(memory));
        }
    }
}
