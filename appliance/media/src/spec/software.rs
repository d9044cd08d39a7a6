// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Applications: what replaces what, and what must be installed before what.

use std::collections::{BTreeMap, HashMap};

use super::ApplicationSpec;

/// Applications that go on a medium.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolvedApplications<'a> {
    /// What others depend on comes first; otherwise as written.
    pub in_order: Vec<&'a ApplicationSpec>,
    /// Superseded id, and the id of what replaces it in the end.
    pub superseded: BTreeMap<String, String>,
    /// Application, and what it depends on that is not in the definition. Empty unless dependencies are not included.
    pub left_out: Vec<(String, String)>,
}

/// Something that can't be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unresolved {
    /// Index in the definition.
    pub(super) application: usize,
    pub(super) field: &'static str,
    pub(super) expected: String,
    pub(super) found: String,
}

pub(super) fn resolve(
    applications: &[ApplicationSpec],
    include_dependencies: bool,
) -> (ResolvedApplications<'_>, Vec<Unresolved>) {
    let mut resolver = Resolver {
        applications,
        by_id: applications.iter().enumerate().map(|(at, it)| (&*it.content.id, at)).collect(),
        include_dependencies,
        replaced_by: HashMap::new(),
        state: vec![State::New; applications.len()],
        trail: Vec::new(),
        resolved: ResolvedApplications::default(),
        problems: Vec::new(),
    };
    resolver.supersedence();
    for (at, application) in applications.iter().enumerate() {
        if !resolver.replaced_by.contains_key(&*application.content.id) {
            resolver.visit(at);
        }
    }
    (resolver.resolved, resolver.problems)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    OnTrail,
    Done,
}

struct Resolver<'a> {
    applications: &'a [ApplicationSpec],
    by_id: HashMap<&'a str, usize>,
    include_dependencies: bool,
    /// Superseded id, index of what directly supersedes it.
    replaced_by: HashMap<&'a str, usize>,
    state: Vec<State>,
    /// Application, and which of its dependencies is next.
    trail: Vec<(usize, usize)>,
    resolved: ResolvedApplications<'a>,
    problems: Vec<Unresolved>,
}

impl<'a> Resolver<'a> {
    fn id(&self, at: usize) -> &'a str {
        &self.applications[at].content.id
    }

    fn note(&mut self, application: usize, field: &'static str, expected: &str, found: String) {
        self.problems.push(Unresolved { application, field, expected: expected.to_owned(), found });
    }

    fn supersedence(&mut self) {
        for (at, application) in self.applications.iter().enumerate() {
            for old in &application.supersedes {
                match self.replaced_by.get(&**old) {
                    Some(&other) if other != at => {
                        let found = format!("{old}, which {} supersedes too", self.id(other));
                        self.note(at, "supersedes", "an application that nothing else supersedes", found);
                    }
                    _ => drop(self.replaced_by.insert(old, at)),
                }
            }
        }
        for at in 0..self.applications.len() {
            let first = self.id(at);
            let mut chain = vec![first];
            let mut here = first;
            while let Some(&next) = self.replaced_by.get(here) {
                here = self.id(next);
                chain.push(here);
                if here == first {
                    // Named once, at the first of its members.
                    if chain.iter().all(|id| self.by_id.get(id).is_none_or(|&other| other >= at)) {
                        self.note(at, "supersedes", "supersedence without a cycle", chain.join(" -> "));
                    }
                    break;
                }
                if chain.len() > self.applications.len() + 1 {
                    break;
                }
            }
        }
        if !self.problems.is_empty() {
            // Nothing sensible replaces anything then; dependencies are still looked at.
            self.replaced_by.clear();
            return;
        }
        for &old in self.replaced_by.keys() {
            let new = self.id(self.current(old));
            self.resolved.superseded.insert(old.to_owned(), new.to_owned());
        }
    }

    /// What stands in for `id` in the end. Only after cycles were ruled out.
    fn current(&self, id: &str) -> usize {
        let mut at = self.replaced_by[id];
        while let Some(&next) = self.replaced_by.get(self.id(at)) {
            at = next;
        }
        at
    }

    /// Depth first, with a trail of our own: a chain may be as long as the definition.
    fn visit(&mut self, start: usize) {
        if self.state[start] != State::New {
            return;
        }
        self.enter(start);
        while let Some((at, next)) = self.trail.last_mut() {
            let at = *at;
            let Some(wanted) = self.applications[at].depends_on.get(*next) else {
                self.trail.pop();
                self.state[at] = State::Done;
                self.resolved.in_order.push(&self.applications[at]);
                continue;
            };
            *next += 1;
            let found = match self.replaced_by.contains_key(&**wanted) {
                true => Some(self.current(wanted)),
                false => self.by_id.get(&**wanted).copied(),
            };
            match found.map(|found| (found, self.state[found])) {
                Some((_, State::Done)) => {}
                Some((found, State::New)) => self.enter(found),
                Some((found, State::OnTrail)) => self.cycle(found),
                None if self.include_dependencies => {
                    self.note(at, "depends-on", "ids of applications in this definition", format!("{wanted:?}"));
                }
                None => self.resolved.left_out.push((self.id(at).to_owned(), wanted.clone())),
            }
        }
    }

    fn enter(&mut self, at: usize) {
        self.state[at] = State::OnTrail;
        self.trail.push((at, 0));
    }

    fn cycle(&mut self, at: usize) {
        let trail = self.trail.iter().map(|(other, _)| *other);
        let mut names: Vec<_> = trail.skip_while(|&other| other != at).map(|other| self.id(other)).collect();
        names.push(self.id(at));
        self.note(at, "depends-on", "dependencies without a cycle", names.join(" -> "));
    }
}
