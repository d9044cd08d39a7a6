// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the kernel's fragments ask for, against the Kconfig files of a real kernel: the distribution's, of the same series as
//! the one that the images have.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use platen_testkit::need;

use super::{ROOT, defconfigs, shell};
use crate::common::{Ran, tool};

const SOURCE: &str = "/usr/src/linux-source-6.12.tar.xz";
const DEBUG: &str = "board/common/linux-debug.config";

/// A kernel's Makefile, Kconfig files and the scripts that those start. Unpacked once: the whole archive has to be read.
fn kconfig() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let query = ["--show", "--showformat=${Version}", "linux-source-6.12"];
        let version = tool("dpkg-query", &query).expect(0).stdout;
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = kept.join(format!("kconfig-{version}"));
        if !folder.exists() {
            let unpacked = tempfile::tempdir_in(kept).expect("a folder");
            // `modules` was `option modules` when kconfiglib was released.
            let line = format!(
                "tar -xJf {SOURCE} --strip-components=1 --wildcards linux-source-6.12/Makefile '*/Kconfig*' '*/scripts/*.sh' && \
                 sed -i 's/^\\tmodules$/\\toption modules/' kernel/module/Kconfig"
            );
            shell(unpacked.path(), &line).expect(0);
            // Whoever was as fast has the same.
            if fs::rename(unpacked.path(), &folder).is_ok() {
                let _ = unpacked.keep();
            }
        }
        folder
    })
}

fn judge(architecture: &str, fragments: &[&str]) -> Ran {
    let script = format!("{ROOT}/tests/kernel_options.py");
    let kernel = kconfig().to_str().expect("UTF-8");
    tool("/usr/bin/python3", &[[script.as_str(), kernel, architecture].as_slice(), fragments].concat())
}

/// Buildroot's and the kernel's names of what a board has, and its fragments in Buildroot's order.
fn fragments(settings: &[(String, String)]) -> (&'static str, Vec<String>) {
    let architecture = match settings.iter().any(|(symbol, _)| symbol == "BR2_aarch64") {
        true => "arm64",
        false => "x86_64",
    };
    let mut names = Vec::new();
    for wanted in ["BR2_LINUX_KERNEL_CUSTOM_CONFIG_FILE", "BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES"] {
        let (_, value) = settings.iter().find(|(symbol, _)| symbol == wanted).expect(wanted);
        let value = value.trim_matches('"').replace("$(BR2_EXTERNAL_PLATEN_PATH)/..", ROOT);
        names.extend(value.split(' ').map(str::to_owned));
    }
    (architecture, names)
}

#[test]
fn the_kernel_can_have_all_that_the_boards_ask_of_it() {
    if !need::demand(
        "linux-source-6.12",
        Path::new(SOURCE).is_file(),
        "no kernel source; run appliance/install-packages test",
    ) {
        return;
    }
    let boards = defconfigs();
    for (board, settings) in &boards {
        let version =
            settings.iter().find(|(symbol, _)| symbol == "BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE").expect("pinned");
        assert!(version.1.starts_with("\"6.12."), "{board}: {} is of another series than {SOURCE}", version.1);
        let (architecture, names) = fragments(settings);
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        judge(architecture, &names).expect(0);
        // Alone and with the debug form: neither may hold by the other's help.
        let debug = format!("{ROOT}/{DEBUG}");
        names.push(&debug);
        judge(architecture, &names).expect(0);
    }

    // The control: each of these is refused, by its own reason, and nothing else is.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("wrong.config");
    let wrong = "CONFIG_MADE_UP=y\nCONFIG_IP_MULTICAST=y\n# CONFIG_JBD2 is not set\n";
    fs::write(&path, wrong).expect("writes");
    let (architecture, names) = fragments(&boards["qemu_x86_64"]);
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.push(path.to_str().expect("UTF-8"));
    let judged = judge(architecture, &names);
    assert_eq!(judged.status, 1, "{}", judged.stderr);
    let said: Vec<&str> =
        judged.stdout.lines().filter_map(|line| line.split_once("wrong.config:")).map(|said| said.1).collect();
    assert_eq!(
        said,
        [
            "1: CONFIG_MADE_UP: this kernel has no such option",
            "2: CONFIG_IP_MULTICAST=y: it is n: depends on INET",
            "3: CONFIG_JBD2=n: it is y: selected by EXT4_FS && BLOCK",
        ],
        "{}",
        judged.stdout
    );
    assert_eq!(judged.stdout.lines().count(), said.len(), "{}", judged.stdout);
}
