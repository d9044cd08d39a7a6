// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where clients show, set and reset PINs. A PIN takes time to be compared, on purpose, so each has a thread of its own.

use std::sync::{Arc, PoisonError};

use platen_events::Code;
use platen_media::sign::TrustedKeys;
use serde_json::{Value, json};

use super::protocol::{self, Secret};
use super::{Daemon, Happening, since_boot};
use crate::config::Role;
use crate::core::{ClientId, Input};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pins::{Answer as Tried, Pin, Pins, request_text};

impl Daemon {
    fn with_pins(
        &self,
        client: ClientId,
        act: impl FnOnce(&mut Pins) -> Happening + Send + 'static,
        failed: impl FnOnce(Failure) -> Happening,
    ) {
        let (pins, say) = (Arc::clone(&self.pins), self.say.clone());
        let thread = std::thread::Builder::new().name("pin".to_owned()).spawn(move || {
            let answer = act(&mut pins.lock().unwrap_or_else(PoisonError::into_inner));
            say.say(answer);
        });
        if let Err(error) = thread {
            tracing::warn!(?client, %error, "a PIN can't be tried");
            self.say.say(failed(Failure::new(Exit::Machine, error)));
        }
    }

    pub(super) fn login(&mut self, client: ClientId, request: u64, role: Role, pin: Option<Secret>) {
        let Some(pin) = pin else {
            // Who answers for the whole machine needs none; a role without a PIN is open.
            let is_open = !self.pins.lock().unwrap_or_else(PoisonError::into_inner).is_set(role)
                && role == Role::Technician
                || self.station.is_trusted(client);
            let tried = match is_open {
                true => Ok(()),
                false => Err(Failure::new(Exit::Policy, format!("{role}: expected its PIN")).coded(Code::NotPermitted)),
            };
            return self.take(Input::Login(client, request, role, tried));
        };
        let act = move |pins: &mut Pins| Happening::Tried(client, request, role, try_pin(pins, role, pin));
        self.with_pins(client, act, |failure| Happening::Tried(client, request, role, Err(failure)));
    }

    /// The first PINs are set by whoever is first; afterwards only an administrator sets any.
    pub(super) fn set_pin(&mut self, client: ClientId, request: u64, role: Role, pin: Secret) {
        let is_first = !self.pins.lock().unwrap_or_else(PoisonError::into_inner).is_set(Role::Administrator);
        if !is_first && self.station.role_of(client) != Some(Role::Administrator) {
            let failure = Failure::new(Exit::Policy, "only an administrator sets PINs").coded(Code::NotPermitted);
            return self.clients.tell(client, &protocol::failed(request, &failure));
        }
        let act = move |pins: &mut Pins| {
            let set = Pin::new(pin.0).and_then(|pin| pins.set(role, &pin, since_boot()));
            let set = set.map(|()| Value::Null).map_err(|error| Failure::new(Exit::Request, error));
            Happening::Ran(client, request, set)
        };
        self.with_pins(client, act, |failure| Happening::Ran(client, request, Err(failure)));
    }

    /// What a request to reset the administrator's PIN must contain. Anyone may see it: it is of no use without a trusted key.
    pub(super) fn challenge(&self, client: ClientId, request: u64) {
        let name = self.config.name.clone();
        let act = move |pins: &mut Pins| {
            let text = pins.challenge(since_boot()).map(|challenge| request_text(&name, &challenge));
            Happening::Ran(client, request, text.map(|text| json!({ "text": text })).map_err(Failure::from))
        };
        self.with_pins(client, act, |failure| Happening::Ran(client, request, Err(failure)));
    }

    /// Whoever holds a trusted key takes the administrator's PIN away, so that a new one is set as on the first start.
    pub(super) fn reset_pin(&self, client: ClientId, request: u64, text: String, signature: String) {
        let (name, trust) = (self.config.name.clone(), self.paths.trust.clone());
        let act = move |pins: &mut Pins| {
            let reset = TrustedKeys::load(&trust)
                .map_err(Failure::from)
                .and_then(|keys| Ok(pins.reset_with(text.as_bytes(), &signature, &keys, &name, since_boot())?));
            if let Ok(key) = &reset {
                tracing::warn!(%key, "the administrator's PIN was taken away by a signed request");
            }
            Happening::Ran(client, request, reset.map(|key| json!({ "signed_by": key })))
        };
        self.with_pins(client, act, |failure| Happening::Ran(client, request, Err(failure)));
    }
}

fn try_pin(pins: &mut Pins, role: Role, pin: Secret) -> Result<(), Failure> {
    let refused = |text: String| Failure::new(Exit::Policy, text).coded(Code::NotPermitted);
    let pin = Pin::new(pin.0).map_err(|error| refused(error.to_string()))?;
    match pins.check(role, &pin, since_boot()).map_err(|error| Failure::new(Exit::Machine, error))? {
        Tried::Right => Ok(()),
        Tried::Wrong(None) => Err(refused("the PIN is wrong".to_owned())),
        Tried::Wrong(Some(wait)) | Tried::Refused(wait) => {
            let text = format!("the PIN was wrong {} times; the next try is in {} s", wait.failed, wait.left.as_secs());
            Err(refused(text))
        }
        Tried::NoPin => Err(refused(format!("{role}: it has no PIN; an administrator sets it"))),
    }
}
