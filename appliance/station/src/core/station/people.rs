// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Who is connected, and who may ask for what.

use platen_events::{Code, JobKind};
use serde::{Deserialize, Serialize};

use super::{Ask, ClientId, Effect, Errand, Reply, Station};
use crate::config::{Action, Role};
use crate::exit::Exit;
use crate::failure::Failure;

/// Somebody who is connected.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Session {
    /// None: nobody has said yet who it is.
    role: Option<Role>,
    /// It is the owner of the whole machine.
    is_trusted: bool,
}

/// What must be allowed for a kind of work.
fn action_of(kind: JobKind) -> Action {
    match kind {
        JobKind::Verify => Action::Verify,
        JobKind::Test => Action::Test,
        JobKind::EraseQuick | JobKind::EraseFull => Action::Erase,
        JobKind::ReadMaster => Action::DuplicateForeign,
        JobKind::Import => Action::Import,
        JobKind::Write | JobKind::Update | JobKind::Unknown => Action::Start,
    }
}

/// What must be allowed for a request.
fn actions_of(ask: &Ask) -> Vec<Action> {
    match ask {
        Ask::Start { work, .. } => vec![action_of(work.kind)],
        Ask::Arm { work, .. } => vec![Action::Arm, action_of(work.kind)],
        Ask::Disarm { .. } => vec![Action::Arm],
        Ask::Cancel { .. } => vec![Action::Cancel],
        Ask::Pause { .. } | Ask::Resume { .. } => vec![Action::Pause],
        Ask::Learn { .. } | Ask::LearnEnd { .. } => vec![Action::Map],
        Ask::Errand(Errand::Diagnostics { .. }) => vec![Action::Diagnostics],
        Ask::Errand(Errand::Import { .. } | Errand::Scrub) => vec![Action::Import],
        Ask::Errand(Errand::Media) => Vec::new(),
        Ask::Errand(Errand::History { .. }) => vec![Action::History],
        Ask::Errand(Errand::ShutDown | Errand::Restart) => vec![Action::ShutDown],
        Ask::Errand(Errand::InstallUpdate { older: false, .. }) => vec![Action::UpdateSystem],
        Ask::Errand(Errand::InstallUpdate { older: true, .. }) => vec![Action::UpdateSystem, Action::OlderSystem],
        Ask::Errand(Errand::MakeDataAnew) => vec![Action::DataAnew],
    }
}

impl Station {
    pub(super) fn connected(&mut self, client: ClientId, is_trusted: bool) {
        self.sessions.insert(client, Session { role: is_trusted.then_some(Role::Administrator), is_trusted });
    }

    /// A client is the owner of the whole machine.
    pub fn is_trusted(&self, client: ClientId) -> bool {
        self.sessions.get(&client).is_some_and(|session| session.is_trusted)
    }

    /// Who a client is.
    pub fn role_of(&self, client: ClientId) -> Option<Role> {
        self.sessions.get(&client).and_then(|session| session.role)
    }

    pub(super) fn left(&mut self, client: ClientId, effects: &mut Vec<Effect>) {
        self.learns_no_more(client, effects);
        self.sessions.remove(&client);
    }

    pub(super) fn login(
        &mut self,
        client: ClientId,
        request: u64,
        role: Role,
        tried: Result<(), Failure>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        // Whoever tries to become more and fails is less.
        session.role = tried.is_ok().then_some(role);
        effects.push(Effect::Reply(client, request, tried.map(|()| Reply::Admitted { role })));
    }

    fn permit(&self, client: ClientId, ask: &Ask) -> Result<(), Failure> {
        let role = self.role_of(client);
        for action in actions_of(ask) {
            let needed = self.settings.roles.lowest(action);
            if role.is_none_or(|role| role < needed) {
                let found = role.map_or_else(|| "nobody".to_owned(), |role| role.to_string());
                let text = format!("{action}: expected the role {needed}, found {found}; log in with its PIN");
                return Err(Failure::new(Exit::Policy, text).coded(Code::NotPermitted));
            }
        }
        Ok(())
    }

    pub(super) fn asked(&mut self, client: ClientId, request: u64, ask: Ask, effects: &mut Vec<Effect>) {
        if !self.sessions.contains_key(&client) {
            return;
        }
        let reply = match (self.permit(client, &ask), ask) {
            (Ok(()), Ask::Errand(errand)) => {
                effects.push(Effect::Run(client, request, errand));
                return;
            }
            (Ok(()), Ask::LearnEnd { keep }) => match self.end_learning(client, request, keep, effects) {
                // Answered when the file is written.
                Ok(()) if keep => return,
                ended => ended.map(|()| Reply::Accepted),
            },
            (Ok(()), ask) => self.answer(client, ask, effects),
            (Err(refused), _) => Err(refused),
        };
        effects.push(Effect::Reply(client, request, reply));
    }

    fn answer(&mut self, client: ClientId, ask: Ask, effects: &mut Vec<Effect>) -> Result<Reply, Failure> {
        match ask {
            Ask::Start { port, drive, work } => self.start(&port, &drive, work, effects)?,
            Ask::Arm { ports, work, wanted } => {
                let named = self.named(&ports)?;
                return self.arm(&named, work, wanted, effects);
            }
            Ask::Disarm { ports } => {
                let named = self.named(&ports)?;
                self.disarm(&named, effects);
            }
            Ask::Cancel { ports } => {
                let named = self.named(&ports)?;
                self.cancel(&named, effects);
            }
            Ask::Pause { ports } => self.set_paused(&ports, true, effects)?,
            Ask::Resume { ports } => self.set_paused(&ports, false, effects)?,
            Ask::Learn { label } => self.learn(client, label, effects)?,
            Ask::LearnEnd { .. } | Ask::Errand(_) => {}
        }
        Ok(Reply::Accepted)
    }

    fn set_paused(&mut self, ports: &[String], is_paused: bool, effects: &mut Vec<Effect>) -> Result<(), Failure> {
        for name in self.named(ports)? {
            self.set_use(&name, |used| used.is_paused = is_paused, effects);
        }
        Ok(())
    }
}
