// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The drives that are started in QEMU: real stand-alone media, from a real boot kit, written by the program.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::boot::{MEDIA_ID, PASSWORD, Variant};
use crate::common::{Station, tool};

/// The drive image of a variant. Made once for each run of the tests; never written to.
pub fn drive(variant: Variant) -> PathBuf {
    station().path(match variant {
        Variant::Mbr => "mbr.img",
        Variant::Gpt => "gpt.img",
        Variant::MbrWithPassword => "password.img",
    })
}

/// The station that wrote them, with its author's media in its cache.
pub fn station() -> &'static Station {
    static STATION: OnceLock<Station> = OnceLock::new();
    STATION.get_or_init(make)
}

fn make() -> Station {
    let station = Station::new();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Packages are kept between runs; everything made of them is made anew.
    let packages = kept.join("packages");
    let packages = packages.to_str().expect("UTF-8");
    station.platen(&["boot-kit", "collect", "--out", "boot-kit", "--packages", packages]).expect(0);
    let deploy = kept.parent().expect("a folder").join("programs/debug/platen-deploy");
    assert!(deploy.is_file(), "{} is missing; appliance/build-programs --profile dev makes it", deploy.display());
    let deploy = deploy.to_str().expect("UTF-8");
    let image = ["boot-image", "build", "--kit", "boot-kit", "--trusted", "test-insecure.pub", "--out", "boot-image"];
    station.platen(&[&image[..], &["--deploy", deploy]].concat()).expect(0);

    station.files("tree", &[("Windows/notepad.txt", &[b'n'; 300_000]), ("Users/readme.txt", b"hello")]);
    let (tree, wim) = (station.text("tree"), station.text("install.wim"));
    tool("wimlib-imagex", &["capture", &tree, &wim, "Test image", "--check", "--compress=XPRESS"]).expect(0);
    station.files("drivers", &[("net/net.inf", b"[Version]\n"), ("net/net.sys", &[1; 40_000])]);
    // Names that some rule or other takes for one, and FAT drivers don't.
    for name in ["straße.inf", "STRASSE.INF", "ﬁ.x", "FI.X", "\u{212a}.x", "k.x"] {
        station.files("drivers", &[(&format!("names/{name}"), name.as_bytes())]);
    }
    station.files("storage", &[("nvme.inf", b"[Version]\n")]);
    station.files("app", &[("setup.sh", b"#!/bin/sh\n")]);
    station.files("library", &[("setup.sh", b"#!/bin/sh\n")]);
    station.files("", &[("task-sequence.xml", include_bytes!("../appliance/example/task-sequence.xml"))]);
    // As an editor on Windows saves it.
    station.files("", &[("password.txt", format!("\u{feff}{PASSWORD}\r\n").as_bytes())]);

    let definition = |name: &str, revision: u32, more: &str, variable: &str| {
        let text = DEFINITION.replace("@ID@", MEDIA_ID).replace("@REVISION@", &revision.to_string());
        std::fs::write(station.path(name), text.replace("@MORE@", more) + variable).expect("writes");
        station.build(&station.path(name)).expect(0);
        station.import().expect(0);
    };
    let write = |name: &str, scheme: &str| {
        let drive = station.drive(name, 192);
        station.platen(&["write", MEDIA_ID, &drive, "--scheme", scheme]).expect(0);
        station.platen(&["verify", &drive]).expect(0);
    };
    definition("plain.toml", 1, "", "");
    write("mbr.img", "mbr");
    write("gpt.img", "gpt");
    station.files("", &[("secret.txt", SECRET.as_bytes())]);
    let secret = "\n[[variable]]\nname = \"OSDLocalAdminPassword\"\nvalue-file = \"secret.txt\"\nsecret = true\n";
    definition("password.toml", 2, "password = { file = \"password.txt\" }", secret);
    write("password.img", "mbr");
    station
}

/// A secret variable of the variant with a password.
pub const SECRET: &str = "PLANTED-Adm1n-secret-value";

const DEFINITION: &str = r#"
kind = "stand-alone"
id = "@ID@"
name = "Boot test"
version = "1.0"
revision = @REVISION@
label = "BOOTTEST"
valid-until = 2050-01-01
unattended = true
task-sequence = "task-sequence.xml"
boot-kit = "boot-kit"
@MORE@

[boot-image]
id = "PLTBOOT"
name = "Boot image"
version = "1"
path = "boot-image"

[operating-system-image]
id = "PLTOS001"
name = "Test image"
version = "1"
path = "install.wim"
index = 1

[[driver-package]]
id = "PLTDRV01"
name = "Network"
version = "1"
path = "drivers"

[[driver-package]]
id = "PLTDRV02"
name = "Storage"
version = "1"
path = "storage"

[[application]]
id = "APP-JQ"
name = "Application"
version = "1"
path = "app"
install = "sh setup.sh"
depends-on = ["APP-LIB"]

[[application]]
id = "APP-LIB"
name = "Library"
version = "1"
path = "library"
install = "sh setup.sh"
"#;
