// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Whether a medium may be used: signature, dates, files, password, policy; in this order, so that nothing is believed
//! before it was proved.
//!
//! What steps of a task sequence use is read when they use it, and compared then: the first step does not wait for
//! gigabytes that the tenth needs. Here such a file has to be there and as long as it should be. On a medium without a
//! task sequence nothing comes later, so all of it is read.

use std::time::{Duration, Instant};

use platen_media::manifest::{FileRecord, Manifest, MediaKind, NotValid, Validity};
use platen_media::policy::{DeploymentPolicy, MASK, PolicyError};
use platen_media::sign::{SignedMedia, TrustedKeys};
use platen_media::{Moment, Timestamp, envelope};
use platen_sequence::TaskSequence;

use crate::boot_menu::Wanted;
use crate::medium::{FileReport, Medium};
use crate::programs;
use crate::refusal::Refusal;
use crate::screen::{Mark, Screen};

/// How often the password may be tried before the computer has to be started again.
pub(crate) const PASSWORD_ATTEMPTS: u32 = 3;
/// Problems and unexpected files named on the screen; a serial line takes 5 s for a thousand.
const MAX_LISTED: usize = 100;
/// Often enough to be seen moving, seldom enough for a serial line.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// A medium that passed every check.
#[derive(Debug)]
pub(crate) struct Checked {
    signed: SignedMedia,
    /// None on media without a task sequence.
    policy: Option<(DeploymentPolicy, TaskSequence)>,
}

impl Checked {
    pub(crate) fn manifest(&self) -> &Manifest {
        self.signed.manifest()
    }

    /// What is to be carried out; None on media without a task sequence.
    pub(crate) fn policy(&self) -> Option<&(DeploymentPolicy, TaskSequence)> {
        self.policy.as_ref()
    }
}

/// Checks the medium that the boot menu names; every step is shown as it ends.
pub(crate) fn check(
    medium: &Medium,
    wanted: &Wanted,
    keys: &TrustedKeys,
    now: impl Fn() -> Timestamp,
    screen: &mut Screen<'_>,
) -> Result<Checked, Refusal> {
    let stop = |screen: &mut Screen<'_>, step: &str, refusal: Refusal| {
        screen.step(Mark::Stop, step, &refusal.chain());
        refusal
    };

    let signed = signature(medium, wanted, keys).map_err(|refusal| stop(screen, "Signature", refusal))?;
    let manifest = signed.manifest();
    screen.step(Mark::Ok, "Signature", &format!("by key {}", signed.key_id()));
    introduce(manifest, screen);

    let clock = now();
    let valid = manifest.validity.on_target(clock, manifest.created);
    valid.map_err(|reason: NotValid| stop(screen, "Validity", Refusal::NotValid(reason)))?;
    match clock < manifest.created {
        // Its dates say `local`: a clock before the moment of making is what western zones show.
        _ if manifest.validity.is_local() => {
            let shown = Moment::Local(clock);
            screen.step(Mark::Ok, "Validity", &format!("the clock here says {shown}, which decides as its dates ask"));
        }
        false => screen.step(Mark::Ok, "Validity", &format!("the clock here says {clock}")),
        true => screen.step(
            Mark::Note,
            "Validity",
            &format!("the clock here says {clock}, before the medium was made; does it keep local time?"),
        ),
    }

    let report = files(medium, manifest, screen)?;
    let policy = policy(manifest, report, screen).map_err(|refusal| stop(screen, "Policy", refusal))?;
    Ok(Checked { signed, policy })
}

/// The signed manifest, if it is the wanted medium's.
pub(crate) fn signature(medium: &Medium, wanted: &Wanted, keys: &TrustedKeys) -> Result<SignedMedia, Refusal> {
    let (bytes, signature) = medium.signed_manifest()?;
    let signed = SignedMedia::check(&bytes, signature, keys).map_err(Refusal::Signature)?;
    let Manifest { id, revision, .. } = signed.manifest();
    if *id != wanted.id || wanted.revision.is_some_and(|wanted| wanted != *revision) {
        let found = format!("{id} revision {revision}");
        return Err(Refusal::OtherMedium { expected: wanted.to_string(), found });
    }
    Ok(signed)
}

/// What medium it is, in the words of its author.
fn headings(manifest: &Manifest, screen: &mut Screen<'_>) {
    let Manifest { id, kind, name, version, revision, .. } = manifest;
    screen.line(&format!("  {name}"));
    screen.line(&format!("  medium {id}   version {version}   revision {revision}   {kind}"));
}

fn introduce(manifest: &Manifest, screen: &mut Screen<'_>) {
    let created = manifest.created;
    screen.gap();
    headings(manifest, screen);
    screen.line(&format!("  made {created}   {}", window(manifest.validity)));
    screen.gap();
}

fn window(validity: Validity) -> String {
    match (validity.from, validity.until) {
        (None, None) => "valid without limit".to_owned(),
        (Some(from), None) => format!("valid from {from}"),
        (None, Some(until)) => format!("valid until {until}"),
        (Some(from), Some(until)) => format!("valid {from} to {until}"),
    }
}

/// Whether a file's bytes are compared when something uses them: contents by the step that does, programs when they are
/// unpacked.
fn is_checked_at_use(manifest: &Manifest, file: &FileRecord) -> bool {
    let content = manifest.contents.get(file.content as usize);
    manifest.kind == MediaKind::StandAlone && content.is_some_and(|content| content.kind.is_for_steps())
        || programs::find(manifest).is_some_and(|programs| std::ptr::eq(programs, file))
}

fn files(medium: &Medium, manifest: &Manifest, screen: &mut Screen<'_>) -> Result<FileReport, Refusal> {
    let count = manifest.files.len();
    let (later, at_once): (Vec<_>, Vec<_>) = manifest.files.iter().partition(|file| is_checked_at_use(manifest, file));
    let size = |files: &[&FileRecord]| mebibytes(files.iter().map(|file| file.size_bytes).sum());
    let total = size(&at_once);
    let mut shown: Option<Instant> = None;
    let report = medium.check_files(
        manifest,
        |file| !is_checked_at_use(manifest, file),
        |progress| {
            if shown.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY) {
                let percent = progress.done_bytes.saturating_mul(100) / progress.total_bytes.max(1);
                let done = mebibytes(progress.done_bytes);
                screen.progress("Files", &format!("{percent:>3} %   {done} of {total} read and compared"));
                shown = Some(Instant::now());
            }
        },
    );
    let bad = report.problems.len();
    if bad > 0 {
        screen.step(Mark::Stop, "Files", &format!("{bad} of {count} files missing, changed or unreadable"));
        for problem in report.problems.iter().take(MAX_LISTED) {
            screen.detail(&problem.to_string());
        }
        if bad > MAX_LISTED {
            screen.detail(&format!("and {} more", bad - MAX_LISTED));
        }
        return Err(Refusal::Files { problems: report.problems });
    }
    screen.step(Mark::Ok, "Files", &format!("{} files, {total} read and compared", at_once.len()));
    if !later.is_empty() {
        let text = format!("{} more, {}: each is compared when it is used", later.len(), size(&later));
        screen.step(Mark::Ok, "Files", &text);
    }
    let unexpected = medium.unexpected(manifest, MAX_LISTED);
    if !unexpected.is_empty() {
        screen.step(Mark::Note, "Files", "not part of the medium, and not used:");
        for path in unexpected {
            screen.detail(&path);
        }
    }
    Ok(report)
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Opens the policy from the very bytes whose digest was checked, and sees that it belongs to this release.
fn policy(
    manifest: &Manifest,
    report: FileReport,
    screen: &mut Screen<'_>,
) -> Result<Option<(DeploymentPolicy, TaskSequence)>, Refusal> {
    let listed = |path: &str| manifest.files.iter().any(|file| file.path.as_str() == path);
    let found = match (listed(envelope::POLICY_CLEAR), listed(envelope::POLICY_ENCRYPTED)) {
        (true, true) => "both",
        (true, false) => "one in clear",
        (false, true) => "an encrypted one",
        (false, false) => "none",
    };
    let policy = match (found, manifest.password_required, report.policy) {
        ("an encrypted one", true, Some((_, bytes))) => decrypt(&bytes, screen)?,
        ("one in clear", false, Some((_, bytes))) => DeploymentPolicy::from_json(&bytes).map_err(Refusal::Policy)?,
        ("none", false, _) if manifest.kind != MediaKind::StandAlone => {
            screen.step(Mark::Ok, "Policy", "none: a medium without a task sequence");
            return Ok(None);
        }
        (_, password, _) => {
            let expected = if password { "an encrypted one" } else { "one in clear" };
            return Err(Refusal::PolicyForm { expected, found });
        }
    };
    if policy.media_id != manifest.id || policy.revision != manifest.revision {
        return Err(Refusal::PolicyOfOther {
            expected: format!("{} revision {}", manifest.id, manifest.revision),
            found: format!("{} revision {}", policy.media_id, policy.revision),
        });
    }
    let sequence = TaskSequence::from_json(&policy.task_sequence).map_err(Refusal::Sequence)?;
    screen.step(Mark::Ok, "Policy", &format!("task sequence {:?}", sequence.name));
    Ok(Some((policy, sequence)))
}

/// Asks for the password, also on unattended media: they are unattended after this.
fn decrypt(encrypted: &[u8], screen: &mut Screen<'_>) -> Result<DeploymentPolicy, Refusal> {
    screen.step(Mark::Note, "Password", "Tab chooses another keyboard; a serial line needs none");
    for attempt in 1..=PASSWORD_ATTEMPTS {
        let question = |keys: &str| match attempt {
            1 => format!("Password    ({keys} keys):"),
            _ => format!("Password    (attempt {attempt} of {PASSWORD_ATTEMPTS}, {keys} keys):"),
        };
        let password = screen.ask_secret(question).ok_or(Refusal::NoInput)?;
        screen.progress("Password", "trying it; this takes a few seconds on purpose");
        match DeploymentPolicy::decrypt(encrypted, &password) {
            Ok(policy) => {
                screen.step(Mark::Ok, "Password", "right");
                return Ok(policy);
            }
            Err(PolicyError::WrongPassword) => screen.step(Mark::Stop, "Password", "wrong"),
            Err(other) => return Err(Refusal::Policy(other)),
        }
    }
    Err(Refusal::Password { attempts: PASSWORD_ATTEMPTS })
}

/// What would be run, without any secret.
pub(crate) fn show_plan(checked: &Checked, screen: &mut Screen<'_>) {
    let Some((policy, sequence)) = &checked.policy else { return };
    // The checks and a long task sequence together do not fit a screen of 25 lines.
    screen.page("Task sequence of the deployment medium");
    headings(checked.manifest(), screen);
    screen.gap();
    for line in sequence.outline().lines() {
        screen.line(&format!("  {line}"));
    }
    for variable in &policy.variables {
        let value = match (variable.secret, &*variable.value) {
            (true, _) => MASK.to_owned(),
            (false, "") => "(asked for)".to_owned(),
            (false, value) => format!("{value:?}"),
        };
        screen.line(&format!("  {} = {value}", variable.name));
    }
    if checked.manifest().unattended {
        screen.line("  unattended: nothing more would be asked");
    }
}

#[cfg(test)]
mod tests;
