// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Debian packages: found in a folder or downloaded with apt, unpacked with dpkg-deb; nothing is installed.
//!
//! `apt-get download` checks each package against the signed index of its source. What was in the folder before is not
//! checked again: its digest goes into the kit's record, and the boot programs carry their own signatures.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use platen_media::{Sha256, Sha256Hasher, read_piece};
use serde::{Deserialize, Serialize};

use super::BootKitError;

/// A package a kit was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRecord {
    /// As Debian names it.
    pub name: String,
    /// As Debian writes it.
    pub version: String,
    /// Of the package file.
    pub sha256: Sha256,
    /// Length of the package's file in bytes.
    pub size_bytes: u64,
}

/// A package file on this machine.
#[derive(Clone)]
pub(super) struct Package {
    pub(super) record: PackageRecord,
    deb: PathBuf,
}

/// A folder with package files, to which missing ones are downloaded.
pub(super) struct Packages {
    folder: PathBuf,
}

/// Runs a program to its end; what it printed, or the error it deserves.
pub(super) fn run(command: &mut Command, program: &'static str, install: &'static str) -> Result<String, BootKitError> {
    // Messages are matched and shown, so they must not depend on who collects.
    let output = command.env("LC_ALL", "C").output().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => BootKitError::NoProgram { program, install },
        _ => BootKitError::Start { program, source },
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    // What the dynamic linker, the shell and env say when they can't start something.
    if output.status.code() == Some(127) {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(BootKitError::NoLibraries { program, install, said });
    }
    Err(failed(command, program, &output))
}

fn failed(command: &Command, program: &'static str, output: &Output) -> BootKitError {
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> =
        said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("W:")).collect();
    // The last lines are the ones that say why.
    let said = said[said.len().saturating_sub(4)..].join(" / ");
    BootKitError::Failed { program, arguments: arguments.join(" "), status: output.status, said }
}

impl Packages {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The newest package of this name in the folder; downloaded when there is none.
    pub(super) fn get(&self, name: &str) -> Result<Package, BootKitError> {
        if let Some(found) = self.newest(|candidate| candidate == name)? {
            return Ok(found);
        }
        let wanted = format!("{name}:amd64");
        let mut command = Command::new("apt-get");
        command.args(["--quiet", "download", &wanted]).current_dir(&self.folder);
        run(&mut command, "apt-get", "apt").map_err(|error| match error {
            BootKitError::Failed { said, .. } if said.contains("Unable to locate") || said.contains("Can't find") => {
                BootKitError::NoPackage { package: name.to_owned() }
            }
            other => other,
        })?;
        self.newest(|candidate| candidate == name)?.ok_or_else(|| BootKitError::NoPackage { package: name.to_owned() })
    }

    /// The signed standard kernel: the newest in the folder, else the one that `linux-image-amd64` stands for today.
    pub(super) fn get_kernel(&self) -> Result<Package, BootKitError> {
        if let Some(found) = self.newest(is_kernel)? {
            return Ok(found);
        }
        let no_package = || BootKitError::NoPackage { package: "linux-image-amd64".to_owned() };
        let mut command = Command::new("apt-cache");
        command.args(["show", "--no-all-versions", "linux-image-amd64:amd64"]);
        let shown = run(&mut command, "apt-cache", "apt").map_err(|error| match error {
            BootKitError::Failed { .. } => no_package(),
            other => other,
        })?;
        let depends = shown.lines().find_map(|line| line.strip_prefix("Depends:")).ok_or_else(no_package)?;
        let names = depends.split([',', '|']).filter_map(|entry| entry.split_whitespace().next());
        let name =
            names.map(|name| name.trim_end_matches(":amd64")).find(|name| is_kernel(name)).ok_or_else(no_package)?;
        self.get(name)
    }

    /// Names of the packages that this one can't do without, in its order; of alternatives the first.
    pub(super) fn depends(&self, package: &Package) -> Result<Vec<String>, BootKitError> {
        let mut names = Vec::new();
        for field in ["Pre-Depends", "Depends"] {
            let mut command = Command::new("dpkg-deb");
            command.arg("--field").arg(&package.deb).arg(field);
            let list = run(&mut command, "dpkg-deb", "dpkg")?;
            // "libc6 (>= 2.36), libfuse2:any | libfuse2t64"
            let entries = list.split(',').filter_map(|entry| entry.split(['|', '(', ':']).next());
            names.extend(entries.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()));
        }
        Ok(names)
    }

    /// Unpacks a package below `into`, which is made.
    pub(super) fn unpack(&self, package: &Package, into: &Path) -> Result<(), BootKitError> {
        let mut command = Command::new("dpkg-deb");
        command.arg("--extract").arg(&package.deb).arg(into);
        run(&mut command, "dpkg-deb", "dpkg").map(drop)
    }

    fn newest(&self, wanted: impl Fn(&str) -> bool) -> Result<Option<Package>, BootKitError> {
        let mut best: Option<(PathBuf, String, String)> = None;
        for entry in std::fs::read_dir(&self.folder).map_err(BootKitError::io("listing packages in", &self.folder))? {
            let path = entry.map_err(BootKitError::io("listing packages in", &self.folder))?.path();
            let file_name = path.file_name().unwrap_or_default().to_string_lossy();
            let Some((name, _)) = file_name.strip_suffix(".deb").and_then(|stem| stem.split_once('_')) else {
                continue;
            };
            if !wanted(name) {
                continue;
            }
            let name = name.to_owned();
            let version = control(&path, &name)?;
            let newer = match &best {
                None => true,
                Some((_, best_name, best_version)) => {
                    // Kernels of different releases are different packages; their versions compare all the same.
                    is_newer(&version, best_version)? || (&version == best_version && &name > best_name)
                }
            };
            if newer {
                best = Some((path, name, version));
            }
        }
        let Some((deb, name, version)) = best else { return Ok(None) };
        let (sha256, size_bytes) = digest(&deb)?;
        Ok(Some(Package { record: PackageRecord { name, version, sha256, size_bytes }, deb }))
    }
}

/// `linux-image-6.1.0-56-amd64`, but neither `-cloud-amd64` (no USB), `-rt-amd64`, `-amd64-unsigned` nor `-amd64-dbg`.
fn is_kernel(name: &str) -> bool {
    name.strip_prefix("linux-image-").and_then(|rest| rest.strip_suffix("-amd64")).is_some_and(|release| {
        release.starts_with(|c: char| c.is_ascii_digit()) && !release.contains("cloud") && !release.contains("rt")
    })
}

/// The version in a package's control fields, which must be of package `name`.
fn control(deb: &Path, name: &str) -> Result<String, BootKitError> {
    let mut command = Command::new("dpkg-deb");
    command.arg("--field").arg(deb).args(["Package", "Version", "Architecture"]);
    let shown = run(&mut command, "dpkg-deb", "dpkg")?;
    let field = |key: &str| {
        shown.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap_or_default().trim().to_owned()
    };
    let (found, architecture) = (field("Package"), field("Architecture"));
    if found != name || !matches!(&*architecture, "amd64" | "all") {
        let found = format!("{found} for {architecture}");
        return Err(BootKitError::WrongPackage { path: deb.to_owned(), expected: name.to_owned(), found });
    }
    Ok(field("Version"))
}

/// Debian's order of versions, which only dpkg knows.
fn is_newer(version: &str, than: &str) -> Result<bool, BootKitError> {
    let mut command = Command::new("dpkg");
    let output =
        command.args(["--compare-versions", version, "gt", than]).output().map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => BootKitError::NoProgram { program: "dpkg", install: "dpkg" },
            _ => BootKitError::Start { program: "dpkg", source },
        })?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(failed(&command, "dpkg", &output)),
    }
}

/// SHA-256 and size of a file.
pub(super) fn digest(path: &Path) -> Result<(Sha256, u64), BootKitError> {
    let mut file = File::open(path).map_err(BootKitError::io("opening", path))?;
    let (mut hasher, mut size_bytes, mut buffer) = (Sha256Hasher::new(), 0, vec![0; 1 << 20]);
    loop {
        match read_piece(&mut file, &mut buffer).map_err(BootKitError::io("reading", path))? {
            [] => return Ok((hasher.finish(), size_bytes)),
            piece => {
                hasher.update(piece);
                size_bytes += piece.len() as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_standard_signed_kernel_will_do() {
        assert!(is_kernel("linux-image-6.1.0-56-amd64") && is_kernel("linux-image-6.12.57+deb13-amd64"));
        for other in [
            "linux-image-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-6.1.0-56-rt-amd64",
            "linux-image-6.1.0-56-amd64-unsigned",
            "linux-image-6.1.0-56-amd64-dbg",
            "linux-headers-6.1.0-56-amd64",
        ] {
            assert!(!is_kernel(other), "{other}");
        }
    }

    #[test]
    fn a_missing_program_is_said_with_the_package_that_has_it() {
        let error = run(&mut Command::new("/nonexistent/apt-get"), "apt-get", "apt").expect_err("not there");
        assert_eq!(error.to_string(), "apt-get is not installed here; install the package apt");
        assert_eq!(error.kind(), super::super::BootKitErrorKind::Machine);
    }

    #[test]
    fn a_package_under_another_name_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir_all(folder.path().join("tree/DEBIAN")).expect("made");
        let control = "Package: other\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n";
        std::fs::write(folder.path().join("tree/DEBIAN/control"), control).expect("written");
        let mut build = Command::new("dpkg-deb");
        build.arg("--build").arg(folder.path().join("tree")).arg(folder.path().join("shim-signed_1_amd64.deb"));
        if !platen_testkit::need::program("dpkg-deb") {
            return;
        }
        run(&mut build, "dpkg-deb", "dpkg").expect("packed");
        let refused = Packages::new(folder.path().to_owned()).get("shim-signed").map(drop).expect_err("refused");
        assert!(matches!(&refused, BootKitError::WrongPackage { found, .. } if found == "other for all"), "{refused}");
    }
}
