// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A guest: Debian's kernel with some of its modules, busybox, programs and a station.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Station, tool};

/// What a guest has besides the kernel and busybox.
pub(crate) struct Parts<'a> {
    /// Of the kernel, in the order in which they are loaded.
    pub(crate) modules: &'a [&'a str],
    pub(crate) programs: &'a [PathBuf],
    /// A folder of this project: the scripts in it, of which `init` is started.
    pub(crate) scripts: &'a str,
    /// Files and folders of the station, in `/station`.
    pub(crate) kept: &'a [&'a str],
}

/// A kernel and what it starts with.
pub(crate) struct Guest {
    folder: tempfile::TempDir,
    pub(crate) kernel: PathBuf,
}

impl Guest {
    pub(crate) fn build(station: &Station, parts: &Parts<'_>) -> Self {
        let folder = tempfile::Builder::new().prefix("platen-test-").tempdir_in("/var/tmp").expect("temporary folder");
        let root = folder.path().join("root");
        for below in ["bin", "dev", "lib64", "modules", "proc", "station", "sys", "tmp"] {
            fs::create_dir_all(root.join(below)).expect("folder");
        }
        let kernel = unpack_kernel(station, folder.path(), parts.modules);
        for program in parts.programs {
            add_program(&root, program);
        }
        add_busybox(&root);
        for kept in parts.kept {
            copy(&station.path(kept), &root.join("station"));
        }
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(parts.scripts).join("."), &root);
        tool("chmod", &["+x", text(&root.join("init"))]).expect(0);
        let pack = "cd \"$0/root\" && find . | busybox cpio --quiet -o -H newc > ../initramfs";
        tool("sh", &["-c", pack, text(folder.path())]).expect(0);
        Self { folder, kernel }
    }

    pub(crate) fn initramfs(&self) -> PathBuf {
        self.folder.path().join("initramfs")
    }
}

/// The kernel and its modules, from the package that boot kits are made of.
fn unpack_kernel(station: &Station, folder: &Path, modules: &[&str]) -> PathBuf {
    let packages = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    station.platen(&["boot-kit", "collect", "--out", "boot-kit", "--packages", text(&packages)]).expect(0);
    let package = only(&packages, "linux-image-");
    let unpacked = folder.join("package");
    fs::create_dir(&unpacked).expect("folder");
    let wanted: Vec<String> = modules.iter().map(|module| format!("./lib/modules/*/kernel/{module}.ko")).collect();
    let wanted = format!("./boot/vmlinuz-* {}", wanted.join(" "));
    let unpack = format!("dpkg-deb --fsys-tarfile \"$0\" | tar -x -C \"$1\" --wildcards {wanted}");
    tool("bash", &["-f", "-o", "pipefail", "-c", &unpack, text(&package), text(&unpacked)]).expect(0);
    let tree = only(&unpacked.join("lib/modules"), "").join("kernel");
    for (at, module) in modules.iter().enumerate() {
        let name = module.rsplit('/').next().unwrap_or_default();
        let to = folder.join(format!("root/modules/{at:02}-{name}.ko"));
        fs::copy(tree.join(format!("{module}.ko")), to).expect("copies");
    }
    only(&unpacked.join("boot"), "vmlinuz-")
}

/// busybox in `bin`, under all of its names that nothing else has.
pub(crate) fn add_busybox(root: &Path) {
    add_program(root, &find("busybox"));
    let applets = tool("busybox", &["--list"]).expect(0).stdout;
    for applet in applets.lines().filter(|applet| !root.join("bin").join(applet).exists()) {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).expect("links");
    }
}

/// The program.
pub(crate) fn platen() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_platen"))
}

/// A program without what only debuggers read, and the libraries it asks for, at the paths where it asks for them.
fn add_program(root: &Path, program: &Path) {
    let to = root.join("bin").join(program.file_name().expect("a name"));
    tool("strip", &["-o", text(&to), text(program)]).expect(0);
    // A static one has none, which ldd calls a failure.
    let needed = tool("ldd", &[text(program)]).stdout;
    for library in needed.split_whitespace().filter(|word| word.starts_with('/')) {
        let to = root.join(&library[1..]);
        fs::create_dir_all(to.parent().expect("a folder")).expect("folders");
        fs::copy(library, to).expect("copies");
    }
}

pub(crate) fn find(program: &str) -> PathBuf {
    let places = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    let found = places.iter().map(|place| Path::new(place).join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{program} is missing (appliance/install-packages boot)"))
}

fn copy(from: &Path, into: &Path) {
    tool("cp", &["-r", text(from), text(into)]).expect(0);
}

/// The last entry of a folder whose name begins like this: of several versions the newest.
fn only(folder: &Path, prefix: &str) -> PathBuf {
    let entries = fs::read_dir(folder).expect("lists").map(|entry| entry.expect("lists").path());
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    entries.filter(named).max().unwrap_or_else(|| panic!("nothing named {prefix}* in {}", folder.display()))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// What a check in a guest said when it panicked.
pub(crate) fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
