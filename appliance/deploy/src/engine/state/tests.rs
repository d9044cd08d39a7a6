// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use platen_media::Sha256;
use platen_sequence::run::Origin;

use super::*;
use crate::engine::machine::FileSystem;

/// What the samples hold: a computer whose system was put on its disk, and which then started from it.
fn state() -> State {
    let volume = |partition, file_system, letter, is_boot| Volume {
        disk: 0,
        partition,
        file_system,
        size_bytes: 500 << 20,
        label: "OSDISK".to_owned(),
        letter,
        is_boot,
    };
    let variable = |name: &str, value: &str, origin| KeptVariable {
        name: name.to_owned(),
        value: value.to_owned(),
        secret: false,
        origin,
    };
    let system = volume(2, FileSystem::Ext4, Some('C'), false);
    State {
        schema: 1,
        media_id: "SAMPLE".to_owned(),
        revision: 2,
        cursor: Cursor { sequence_sha256: Sha256::of(b"sequence"), at: vec![1, 0, 3], attempts: 1 },
        in_deployed: true,
        volumes: vec![volume(1, FileSystem::Fat32, None, true), system.clone()],
        system: Some(system),
        disks: vec![TargetDisk {
            name: "nvme0n1".to_owned(),
            model: "Disk".to_owned(),
            serial_number: "S1".to_owned(),
            interface: "NVMe".to_owned(),
            size_bytes: 512 << 30,
            sector_bytes: 512,
            has_data: true,
        }],
        variables: vec![
            variable("_SMSTSInWinPE", "false", Origin::BuiltIn),
            variable("OSDComputerName", "PC-7", Origin::Medium),
            variable("OSDisk", "C:", Origin::Step),
        ],
        sealed: None,
    }
}

fn secret() -> KeptVariable {
    KeptVariable { name: "Word".to_owned(), value: "none-at-all".to_owned(), secret: true, origin: Origin::Medium }
}

#[test]
fn what_every_release_kept_is_gone_on_from() {
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/formats");
    if let Some(release) = std::env::var_os("PLATEN_WRITE_FORMATS") {
        let store = Store::new(&Path::new(&release).join("deployment"));
        store.keep(state(), vec![secret()], None).expect("keeps");
    }
    let mut count = 0;
    for release in fs::read_dir(formats).expect("lists").map(|entry| entry.expect("lists").path()) {
        if !release.is_dir() {
            continue;
        }
        let folder = release.join("deployment");
        let expected = State { variables: [state().variables, vec![secret()]].concat(), ..state() };
        assert_eq!(Store::new(&folder).load(None).expect("reads"), Some(expected.clone()), "{}", release.display());
        let text = fs::read_to_string(folder.join(STATE)).expect("reads");
        assert!(!text.contains("none-at-all"), "secrets stand apart");

        let copy = tempfile::tempdir().expect("a folder");
        let again = |text: &str| {
            fs::copy(folder.join(SECRETS), copy.path().join(SECRETS)).expect("copies");
            fs::write(copy.path().join(STATE), text).expect("writes");
            Store::new(copy.path()).load(None)
        };
        let longer = again(&text.replacen('{', "{\"added-by-a-newer-release\":[1],", 1));
        assert_eq!(longer.expect("fields more are passed over"), Some(expected));
        let newer = again("{\"schema\":2,\"everything\":\"else\"}").expect_err("newer");
        assert!(platen_media::chain(&newer).contains("newer version of Platen"), "{}", platen_media::chain(&newer));
        // The control: of this schema it is damage.
        let damaged = again("{\"schema\":1,\"everything\":\"else\"}").expect_err("damaged");
        assert!(!platen_media::chain(&damaged).contains("newer"), "{damaged}");
        count += 1;
    }
    assert!(count > 0, "no sample is there");
}
