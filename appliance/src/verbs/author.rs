// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Everything that happens before a medium reaches a station: keys, boot kit, boot image, definitions.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use platen_author::boot_image::{self, BootImageError};
use platen_author::boot_kit::{self, BootKitError, BootKitErrorKind, CollectOptions};
use platen_author::{AuthorError, AuthorErrorKind, BuildOptions, BuildProgress, DriveNeeds, Signer, keys};
use platen_cache::layout::{IndexEntry, Layout};
use platen_cache::{BlobSource, MediaRef};
use platen_events::answer::DocumentFormat;
use platen_events::{Action, Answer};
use platen_media::manifest::Manifest;
use platen_media::{chain, text};
use platen_station::{Exit, Failure};
use serde::Serialize;

use crate::answers::findings;
use crate::args::{BootImageVerb, BootKitVerb, KeyVerb, MediaVerb};
use crate::output::{Output, human_bytes};

fn authoring(error: AuthorError) -> Failure {
    let exit = match error.kind() {
        AuthorErrorKind::Definition => Exit::Request,
        AuthorErrorKind::Policy => Exit::Policy,
        AuthorErrorKind::Machine => Exit::Machine,
    };
    Failure::new(exit, error)
}

fn kit_exit(kind: BootKitErrorKind) -> Exit {
    match kind {
        BootKitErrorKind::Machine => Exit::Machine,
        BootKitErrorKind::Request | BootKitErrorKind::Content => Exit::Request,
    }
}

fn collecting(error: BootKitError) -> Failure {
    Failure::new(kit_exit(error.kind()), error)
}

fn assembling(error: BootImageError) -> Failure {
    Failure::new(kit_exit(error.kind()), error)
}

pub fn key(verb: KeyVerb, output: &Output) -> Result<ExitCode, Failure> {
    match verb {
        KeyVerb::New { name, out, password_file } => {
            let password = password(password_file.as_deref(), output)?;
            let key = keys::generate(&out, &name, password.as_deref()).map_err(|error| authoring(error.into()))?;
            let answer = Answer::KeyMade {
                id: key.id.clone(),
                secret: key.secret.display().to_string(),
                public: key.public.display().to_string(),
            };
            output.answer(answer, || {
                let (secret, public) = (key.secret.display(), key.public.display());
                format!("key {}: {secret} (keep it offline) and {public} (for stations)", key.id)
            });
            if password.is_none() {
                output.say("the secret key has no password; whoever reads the file can sign (--password-file)");
            }
        }
        KeyVerb::Show { key } => {
            let shown = keys::show(&key).map_err(|error| authoring(error.into()))?;
            let answer = Answer::Key { id: shown.id.clone(), key: shown.base64.clone() };
            output.answer(answer, || format!("{}  {}", shown.id, shown.base64));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The password in a file, with a warning when nobody could type it from what they see.
fn password(file: Option<&Path>, output: &Output) -> Result<Option<String>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let password = platen_author::read_password_file(file).map_err(authoring)?;
    if let Some(invisible) = text::invisible(&password) {
        output.warning(&format!("the password in {} {invisible}", file.display()));
    }
    Ok(Some(password))
}

pub fn boot_kit(verb: BootKitVerb, output: &Output) -> Result<ExitCode, Failure> {
    let BootKitVerb::Collect { out, packages } = verb;
    output.say("fetching packages and building GRUB's core images");
    let kit = boot_kit::collect(&out, &CollectOptions { packages }).map_err(collecting)?;
    output.answer(document(DocumentFormat::BootKit, &out, kit.record()), || {
        let record = kit.record();
        let mut packages: Vec<String> =
            record.files.iter().map(|file| format!("{} {}", file.package, file.version)).collect();
        packages.sort();
        packages.dedup();
        format!("boot kit {}: kernel {}, from {}", out.display(), record.kernel_release, packages.join(", "))
    });
    Ok(ExitCode::SUCCESS)
}

pub fn boot_image(verb: BootImageVerb, output: &Output) -> Result<ExitCode, Failure> {
    let BootImageVerb::Build { kit, trusted, out, deploy, programs } = verb;
    let deploy = match deploy {
        Some(path) => path,
        None => deploy_program()?,
    };
    let programs = if programs.is_empty() { own_programs(&deploy) } else { programs };
    let parts = boot_image::Parts { kit: &kit, deploy: &deploy, own_programs: &programs, trusted_keys: &trusted };
    let image = boot_image::build(&parts, &out).map_err(assembling)?;
    output.answer(document(DocumentFormat::BootImage, &out, image.record()), || {
        let record = image.record();
        let keys = record.trusted_keys.join(", ");
        format!(
            "boot image {}: kernel {}, {} drivers, trusts {keys}",
            out.display(),
            record.kernel.release,
            record.modules.len()
        )
    });
    Ok(ExitCode::SUCCESS)
}

/// `platen-deploy` as it was built beside this program, or as the package installs it: nobody calls it by its name.
fn deploy_program() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::new(Exit::Machine, error))?;
    let beside = program.with_file_name("platen-deploy");
    let installed = program.with_file_name("../lib/platen/platen-deploy");
    if let Some(found) = [&beside, &installed].into_iter().find(|path| path.is_file()) {
        return Ok(found.clone());
    }
    let text = format!("{} is not there; build it (appliance/build-programs) or give --deploy FILE", beside.display());
    Err(Failure::new(Exit::Machine, text))
}

/// What is needed for Windows images, where it is beside `platen-deploy`. A step that misses one of them says so.
fn own_programs(deploy: &Path) -> Vec<PathBuf> {
    let beside = ["platen-hive", "platen-deploy.exe"].map(|name| deploy.with_file_name(name));
    beside.into_iter().filter(|path| path.is_file()).collect()
}

pub fn media(verb: MediaVerb, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    match verb {
        MediaVerb::Lint { definition } => return lint(&definition, output),
        MediaVerb::Build { definition, key, key_password_file, out } => {
            let password = password(key_password_file.as_deref(), output)?;
            let signer = Signer::load(&key, password.as_deref()).map_err(|error| authoring(error.into()))?;
            let built = {
                let action = output.action(Action::Build, definition.display().to_string(), "building");
                let progress = move |at: BuildProgress| action.progress(at.done_bytes, at.total_bytes);
                let options = BuildOptions { progress: Some(Box::new(progress)), ..BuildOptions::from_environment() };
                platen_author::build(&definition, &signer, &out, &options).map_err(authoring)?
            };
            let answer = Answer::MediumBuilt {
                medium: built.name.clone(),
                manifest_sha256: built.manifest_digest.to_string(),
                signed_by: built.key_id.clone(),
                files: built.manifest.files.len() as u64,
                content_bytes: built.manifest.content_bytes(),
                needs_drive_bytes: built.manifest.needs_drive_bytes,
                needs_drive_4096_bytes: built.manifest.needs_drive_4096_bytes,
                findings: findings(&built.findings),
                log: built.log.display().to_string(),
            };
            output.answer(answer, || {
                let mut lines: Vec<String> = built.findings.iter().map(ToString::to_string).collect();
                let parts = |split: &platen_author::Split| {
                    let sizes: Vec<String> = split.parts.iter().map(|(_, bytes)| human_bytes(*bytes)).collect();
                    format!("{} ({}) split into {}", split.place, human_bytes(split.size_bytes), sizes.join(" + "))
                };
                lines.extend(built.splits.iter().map(parts));
                let (files, size) = (built.manifest.files.len(), human_bytes(built.manifest.content_bytes()));
                lines.push(format!("{}: {files} files, {size}, signed by {}", built.name, built.key_id));
                lines.extend(DriveNeeds::of(&built.manifest).map(|needs| format!("{}: {needs}", built.name)));
                lines.push(format!("creation log: {}", built.log.display()));
                lines.join("\n")
            });
        }
        MediaVerb::Show { layout, medium } => {
            let layout = Layout::open(&layout)?;
            for (name, text, manifest) in manifests(&layout, medium.as_ref())? {
                let document = Answer::Document { format: DocumentFormat::Manifest, of: Some(name), text };
                output.answer(document, || platen_author::describe(&manifest));
            }
        }
        MediaVerb::Diff { layout, old, new } => {
            let layout = Layout::open(&layout)?;
            let one = |wanted: &MediaRef| Ok::<_, Failure>(manifests(&layout, Some(wanted))?.remove(0).2);
            let changes = platen_author::diff(&one(&old)?, &one(&new)?);
            output.answer(Answer::MediaCompared { changes: changes.clone() }, || {
                if changes.is_empty() { "no difference".to_owned() } else { changes.join("\n") }
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn lint(definition: &Path, output: &Output) -> Result<ExitCode, Failure> {
    let report = platen_author::lint(definition, &BuildOptions::from_environment()).map_err(authoring)?;
    let answer = Answer::DefinitionChecked {
        id: report.id.clone(),
        revision: report.revision,
        files: report.files,
        content_bytes: report.content_bytes,
        needs_drive_bytes: report.needs.map(|needs| needs.drive_bytes),
        needs_drive_4096_bytes: report.needs.and_then(|needs| needs.drive_4096_bytes),
        findings: findings(&report.findings),
    };
    output.answer(answer, || {
        let mut lines: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        if !report.outline.is_empty() {
            lines.push(report.outline.trim_end().to_owned());
        }
        let size = human_bytes(report.content_bytes);
        let name = format!("{}-r{}", report.id, report.revision);
        lines.push(format!("{name}: {} files, {size}", report.files));
        lines.extend(report.needs.map(|needs| format!("{name}: {needs}")));
        lines.join("\n")
    });
    Ok(if report.has_errors() { Exit::Request.into() } else { ExitCode::SUCCESS })
}

/// A record of authoring, as it stands in its folder's file.
fn document(format: DocumentFormat, folder: &Path, record: &impl Serialize) -> Answer {
    let text = serde_json::to_string_pretty(record).expect("records have only strings, numbers and lists");
    Answer::Document { format, of: Some(folder.display().to_string()), text }
}

/// Name, text and content of a layout's manifests, as they stand: signatures are checked on import, not here.
fn manifests(layout: &Layout, wanted: Option<&MediaRef>) -> Result<Vec<(String, String, Manifest)>, Failure> {
    let entries = match wanted {
        Some(wanted) => vec![layout.find(wanted)?],
        None => layout.entries()?,
    };
    let read = |entry: &IndexEntry| {
        let media = layout.media(entry)?;
        let wrong = |error| Failure::new(Exit::Request, format!("medium {}: {}", entry.name, chain(&error)));
        let manifest = Manifest::from_json(&media.manifest_bytes).map_err(wrong)?;
        Ok((entry.name.clone(), String::from_utf8_lossy(&media.manifest_bytes).into_owned(), manifest))
    };
    entries.iter().map(read).collect()
}
