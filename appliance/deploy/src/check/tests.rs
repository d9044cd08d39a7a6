// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::path::{Path, PathBuf};

use minisign::KeyPair;
use platen_events::Code;
use platen_media::manifest::{Blob, Content, ContentKind, FileRecord, Location, SCHEMA};
use platen_media::policy::MediaVariable;
use platen_media::{Blake3, MediaPath, Sha256, VolumeLabel};

use super::*;
use crate::screen::tests::Typist;

const PASSWORD: &str = "correct horse";
const SECRET: &str = "PLANTED-SECRET";
/// 2026-11-21T09:20:00Z and a day later.
const CREATED: i64 = 1_795_252_800;
const NOW: i64 = CREATED + 86_400;

/// A medium in a folder, and the key it is signed with.
struct Bench {
    root: tempfile::TempDir,
    pair: KeyPair,
    manifest: Manifest,
}

fn policy() -> DeploymentPolicy {
    let sequence = r#"<sequence version="3.10"><step type="SMS_TaskSequence_PartitionDiskAction" name="Partition Disk 0"
        description=""><action>osddiskpart.exe</action></step></sequence>"#;
    DeploymentPolicy {
        schema: platen_media::policy::SCHEMA,
        media_id: "PLT00001".into(),
        revision: 7,
        task_sequence: TaskSequence::from_xml(sequence).expect("valid").to_json(),
        variables: vec![
            MediaVariable { name: "OSDComputerName".into(), value: String::new(), secret: false },
            MediaVariable { name: "OSDJoinPassword".into(), value: SECRET.into(), secret: true },
        ],
        prestart: None,
        operating_system_image: None,
        driver_packages: vec![],
        applications: vec![],
        packages: vec![],
        target_disk: None,
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(&policy(), None)
    }

    fn with(policy: &DeploymentPolicy, password: Option<&str>) -> Self {
        let encrypted = password.map(|password| policy.encrypt(password).expect("encrypts"));
        let policy_path = if encrypted.is_some() { envelope::POLICY_ENCRYPTED } else { envelope::POLICY_CLEAR };
        let files = [
            ("EFI/BOOT/BOOTX64.EFI", vec![7; 3 << 20]),
            ("platen/content/Empty/empty.txt", vec![]),
            ("platen/content/드라이버/네트워크.inf", b"[Version]".to_vec()),
            ("platen/content/straße/STRASSE ﬁ \u{212a}.x", b"no other name is this one".to_vec()),
            (policy_path, encrypted.unwrap_or_else(|| policy.to_json())),
        ];
        let root = tempfile::tempdir().expect("temporary folder");
        let mut records = Vec::new();
        let mut blob = Vec::new();
        for (path, bytes) in files {
            write(&root.path().join(path), &bytes);
            let at = (!bytes.is_empty()).then_some(Location { blob: 0, offset_bytes: blob.len() as u64 });
            blob.extend(&bytes);
            records.push(FileRecord {
                path: MediaPath::new(path).expect("valid"),
                size_bytes: bytes.len() as u64,
                blake3: Blake3::of(&bytes),
                sha256: Sha256::of(&bytes),
                content: match path {
                    _ if path.starts_with("EFI/") => 1,
                    _ if path == policy_path => 2,
                    _ => 0,
                },
                at,
                modified: None,
            });
        }
        let size_bytes = blob.len() as u64;
        let manifest = Manifest {
            schema: SCHEMA,
            id: "PLT00001".into(),
            kind: MediaKind::StandAlone,
            name: "Windows 11 for counters".into(),
            version: "24.2".into(),
            revision: 7,
            comment: String::new(),
            label: VolumeLabel::new("PLATEN").expect("valid"),
            created: Timestamp::from_unix_s(CREATED),
            validity: Validity::default(),
            unattended: true,
            password_required: password.is_some(),
            size_limit_bytes: None,
            needs_drive_bytes: None,
            needs_drive_4096_bytes: None,
            bios: None,
            contents: [ContentKind::Package, ContentKind::BootKit, ContentKind::Policy]
                .into_iter()
                .map(|kind| {
                    let id = kind.to_string();
                    Content { name: id.clone(), id, kind, version: "1".into(), size_bytes }
                })
                .collect(),
            blobs: vec![Blob { sha256: Sha256::of(&blob), size_bytes }],
            files: records,
            folders: Vec::new(),
            image: None,
        };
        let bench = Self { root, pair: KeyPair::generate_unencrypted_keypair().expect("random numbers"), manifest };
        bench.sign();
        bench
    }

    fn change(&mut self, change: impl FnOnce(&mut Manifest)) -> &Self {
        change(&mut self.manifest);
        self.sign();
        self
    }

    fn sign(&self) {
        self.sign_bytes(&self.manifest.to_json());
    }

    fn sign_bytes(&self, bytes: &[u8]) {
        let signature = minisign::sign(None, &self.pair.sk, bytes, Some("test"), None).expect("signs").to_string();
        write(&self.path(envelope::MANIFEST), bytes);
        write(&self.path(envelope::MANIFEST_SIGNATURE), signature.as_bytes());
        write(&self.path(envelope::DRIVE_RECORD), b"{}");
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn keys(&self) -> TrustedKeys {
        let text = self.pair.pk.to_box().expect("key").to_string();
        TrustedKeys::from_texts([&*text]).expect("valid")
    }

    fn check_typing(&self, typed: &str) -> (Result<Checked, Refusal>, String) {
        let mut typist = Typist::typing(typed);
        let mut screen = Screen::new(&mut typist);
        let now = || Timestamp::from_unix_s(NOW);
        let result = check(&Medium::new(self.root.path()), &wanted(), &self.keys(), now, &mut screen);
        if let Ok(checked) = &result {
            show_plan(checked, &mut screen);
        }
        assert!(!typist.shown.contains(SECRET) && !typist.shown.contains(PASSWORD), "{}", typist.shown);
        (result, typist.shown)
    }

    fn refused(&self) -> (Code, String) {
        let (result, shown) = self.check_typing("");
        (result.expect_err("refused").code(), shown)
    }
}

fn wanted() -> Wanted {
    Wanted { id: "PLT00001".into(), revision: Some(7), volume: None }
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("inside the medium")).expect("made");
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn what_a_newer_version_added_is_passed_over_and_a_newer_schema_is_called_that() {
    let bench = Bench::new();
    let text = String::from_utf8(bench.manifest.to_json()).expect("UTF-8");
    let added = text.replace("{\"path\"", "{\"added\":{\"x\":[1]},\"path\"").replacen('{', "{\"added\":null,", 1);
    bench.sign_bytes(added.as_bytes());
    let (accepted, shown) = bench.check_typing("");
    assert!(accepted.is_ok() && added.len() > text.len() + 60, "{shown}");
    bench.sign_bytes(b"{\"schema\":3,\"everything\":\"else\"}");
    assert_eq!(bench.refused().0, Code::TargetNewer);
    bench.sign_bytes(b"{\"schema\":1,\"everything\":\"else\"}");
    assert_eq!(bench.refused().0, Code::TargetUntrusted, "the control: of this schema it is none");
    // A newer version than what is signed as changed is nobody's medium.
    write(&bench.path(envelope::MANIFEST), b"{\"schema\":3}");
    assert_eq!(bench.refused().0, Code::TargetUntrusted, "the signature comes first");

    let newer = DeploymentPolicy { schema: 2, ..policy() };
    assert_eq!(Bench::with(&newer, None).refused().0, Code::TargetNewer);
    assert_eq!(Bench::with(&policy(), None).check_typing("").0.expect("the control").manifest().revision, 7);
}

#[test]
fn a_good_medium_is_accepted_and_its_plan_shown_without_secrets() {
    let (result, shown) = Bench::new().check_typing("");
    assert_eq!(result.expect("accepted").manifest().revision, 7);
    for expected in [
        "Windows 11 for counters",
        "medium PLT00001   version 24.2   revision 7   stand-alone",
        "valid without limit",
        "2 files, 3.0 MiB read and compared",
        "3 more, 0.0 MiB: each is compared when it is used",
        "1/1 Partition Disk 0",
        "OSDComputerName = (asked for)",
        "OSDJoinPassword = ********",
        "unattended",
    ] {
        assert!(shown.contains(expected), "{expected:?} is not shown: {shown}");
    }
    assert!(!shown.contains("NOTE") && !shown.contains("STOP"), "{shown}");
}

#[test]
fn only_a_trusted_signature_over_these_bytes_counts() {
    let bench = Bench::new();
    let theirs = Bench::new();
    write(&bench.path(envelope::MANIFEST), &theirs.manifest.to_json());
    std::fs::copy(theirs.path(envelope::MANIFEST_SIGNATURE), bench.path(envelope::MANIFEST_SIGNATURE)).expect("copied");
    assert_eq!(bench.refused().0, Code::TargetUntrusted, "another key");

    let bench = Bench::new();
    let mut bytes = bench.manifest.to_json();
    let at = bytes.windows(10).position(|w| w == b"\"revision\"").expect("there") + 11;
    bytes[at] = b'8';
    write(&bench.path(envelope::MANIFEST), &bytes);
    assert_eq!(bench.refused().0, Code::TargetUntrusted, "a changed revision");

    let bench = Bench::new();
    std::fs::remove_file(bench.path(envelope::MANIFEST_SIGNATURE)).expect("removed");
    let (code, shown) = bench.refused();
    assert_eq!(code, Code::TargetUntrusted, "no signature");
    assert!(!shown.contains("Windows 11"), "nothing unsigned is shown: {shown}");
}

#[test]
fn another_medium_than_the_boot_menus_is_refused() {
    let mut bench = Bench::new();
    assert_eq!(bench.change(|m| m.id = "PLT00002".into()).refused().0, Code::TargetNoMedium);
}

#[test]
fn dates_are_kept_and_a_wrong_clock_is_told_from_an_old_medium() {
    let at = |s| Some(Timestamp::from_unix_s(s));
    for (from, until, created, code) in [
        (at(NOW + 1), None, CREATED, Code::TargetNotYet),
        (None, at(NOW - 1), CREATED, Code::TargetExpired),
        (None, at(NOW + 90 * 86_400), NOW + 15 * 3600, Code::TargetClock),
    ] {
        let mut bench = Bench::new();
        bench.change(|m| {
            m.validity = Validity { from: from.map(Moment::Utc), until: until.map(Moment::Utc) };
            m.created = Timestamp::from_unix_s(created);
        });
        let (found, shown) = bench.refused();
        assert_eq!(found, code, "{shown}");
        assert!(!shown.contains("Files"), "nothing is read after that: {shown}");
    }
    let mut bench = Bench::new();
    let now = at(NOW).map(Moment::Utc);
    bench.change(|m| m.validity = Validity { from: now, until: now });
    assert!(bench.check_typing("").0.is_ok(), "both ends are part of the window");
}

/// Text that the screen broke into lines.
fn one_line(shown: &str) -> String {
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn local_dates_are_decided_by_the_clock_here_and_the_log_says_so() {
    let local = |s| Some(Moment::Local(Timestamp::from_unix_s(NOW + s)));
    for (from, until, code) in [
        (local(0), local(0), None),
        (local(1), None, Some(Code::TargetNotYet)),
        (None, local(-1), Some(Code::TargetExpired)),
    ] {
        let mut bench = Bench::new();
        bench.change(|m| {
            m.validity = Validity { from, until };
            m.schema = m.validity.schema();
        });
        match code {
            None => {
                let (result, shown) = bench.check_typing("");
                assert!(result.is_ok() && one_line(&shown).contains("local time, which decides"), "{shown}");
            }
            Some(code) => {
                let (found, shown) = bench.refused();
                assert!(found == code && one_line(&shown).contains("local time; the clock here says"), "{shown}");
            }
        }
    }
    // The control: other dates are no matter of local time.
    let mut bench = Bench::new();
    bench.change(|m| m.validity.until = Some(Timestamp::from_unix_s(NOW).into()));
    let (result, shown) = bench.check_typing("");
    assert!(result.is_ok() && !shown.contains("local time"), "{shown}");
}

#[test]
fn every_changed_and_missing_file_is_named() {
    let bench = Bench::new();
    let boot = bench.path("EFI/BOOT/BOOTX64.EFI");
    let mut bytes = std::fs::read(&boot).expect("there");
    bytes[2 << 20] ^= 1;
    write(&boot, &bytes);
    write(&bench.path("platen/content/Empty/empty.txt"), b"not empty");
    std::fs::remove_file(bench.path("platen/content/드라이버/네트워크.inf")).expect("removed");
    let (result, shown) = bench.check_typing("");
    let refusal = result.expect_err("refused");
    assert_eq!(refusal.code(), Code::TargetTampered);
    for text in [&shown, &refusal.chain()] {
        assert!(text.contains("EFI/BOOT/BOOTX64.EFI: content changed"), "{text}");
        assert!(text.contains("empty.txt: expected 0 bytes, found 9"), "{text}");
        assert!(text.contains("네트워크.inf: missing"), "{text}");
    }
    assert!(shown.contains("3 of 5 files"), "{shown}");
}

/// The steps that use it compare it (`engine::content`); nobody waits for it here.
#[test]
fn what_a_step_uses_is_compared_by_the_step_and_all_of_a_medium_without_steps_here() {
    let mut bench = Bench::new();
    write(&bench.path("platen/content/드라이버/네트워크.inf"), b"[version]");
    let (result, shown) = bench.check_typing("");
    assert!(result.is_ok() && !shown.contains("STOP"), "{shown}");
    bench.change(|m| {
        m.files.pop();
        m.kind = MediaKind::Tree;
    });
    let (code, shown) = bench.refused();
    assert_eq!(code, Code::TargetTampered);
    assert!(shown.contains("네트워크.inf: content changed"), "{shown}");
}

#[test]
fn an_empty_folder_that_is_missing_is_named() {
    let mut bench = Bench::new();
    bench.change(|m| m.folders.push(MediaPath::new("logs/setup").expect("valid")));
    std::fs::create_dir_all(bench.path("logs/setup")).expect("made");
    assert!(bench.check_typing("").0.is_ok(), "the control");
    std::fs::remove_dir(bench.path("logs/setup")).expect("removed");
    let (code, shown) = bench.refused();
    assert_eq!(code, Code::TargetTampered);
    assert!(shown.contains("logs/setup/: missing"), "{shown}");
}

#[test]
fn a_folder_in_a_files_place_is_no_file() {
    let bench = Bench::new();
    let path = bench.path("platen/content/Empty/empty.txt");
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("made");
    let (code, shown) = bench.refused();
    assert_eq!(code, Code::TargetTampered);
    assert!(shown.contains("empty.txt: not a file"), "{shown}");
}

#[test]
fn what_is_not_on_the_manifest_is_noted_and_systems_own_folders_are_not() {
    let bench = Bench::new();
    write(&bench.path("System Volume Information/IndexerVolumeGuid"), b"x");
    write(&bench.path("EFI/extra/evil.efi"), b"x");
    write(&bench.path("SHA256SUMS"), b"x");
    let (result, shown) = bench.check_typing("");
    assert!(result.is_ok());
    assert!(shown.contains("EFI/extra/evil.efi") && !shown.contains("Indexer") && !shown.contains("SHA256"), "{shown}");
}

#[test]
fn the_password_may_be_tried_three_times_even_when_unattended() {
    let bench = Bench::with(&policy(), Some(PASSWORD));
    let right = bench.check_typing(&format!("wrong\rwrong\r{PASSWORD}\r"));
    assert!(right.0.is_ok(), "{}", right.1);
    assert!(right.1.contains("attempt 3 of 3"), "{}", right.1);

    let (result, shown) = bench.check_typing(&format!("1\r2\r3\r{PASSWORD}\r"));
    assert_eq!(result.expect_err("refused").code(), Code::TargetPassword);
    assert!(!shown.contains("Partition Disk"), "{shown}");
    assert!(matches!(bench.check_typing("").0, Err(Refusal::NoInput)));
}

#[test]
fn a_policy_of_another_release_or_form_is_refused() {
    let mut other = policy();
    other.revision = 6;
    assert_eq!(Bench::with(&other, None).refused().0, Code::TargetPolicy, "an older release's");
    other = policy();
    other.media_id = "PLT00002".into();
    assert_eq!(Bench::with(&other, None).refused().0, Code::TargetPolicy, "another medium's");
    other = policy();
    other.task_sequence = serde_json::json!({"nodes": "none"});
    assert_eq!(Bench::with(&other, None).refused().0, Code::TargetPolicy, "no task sequence");

    let mut bench = Bench::new();
    assert_eq!(
        bench.change(|m| m.password_required = true).refused().0,
        Code::TargetPolicy,
        "in clear, but promised encrypted"
    );
    let mut bench = Bench::new();
    assert_eq!(bench.change(|m| drop(m.files.pop())).refused().0, Code::TargetPolicy, "none at all");
    let mut bench = Bench::new();
    bench.change(|m| {
        m.files.pop();
        m.kind = MediaKind::Tree;
    });
    assert!(bench.check_typing("").0.is_ok(), "a tree has no task sequence");
}

#[test]
fn only_the_very_medium_of_the_boot_menu_stands_right() {
    use crate::volumes::Standing;
    let bench = Bench::new();
    let of = |bench: &Bench, wanted: &Wanted, keys| Standing::of(&Medium::new(bench.root.path()), wanted, keys);
    let ours = bench.keys();
    assert!(matches!(of(&bench, &wanted(), &ours), Standing::Right(_)));
    let older = Wanted { revision: None, ..wanted() };
    assert!(matches!(of(&bench, &older, &ours), Standing::Right(_)), "an older boot menu names no revision");

    let revision_8 = Wanted { revision: Some(8), ..wanted() };
    assert!(matches!(of(&bench, &revision_8, &ours), Standing::Wrong(Refusal::OtherMedium { .. })));
    let stranger = Bench::new();
    assert!(
        matches!(of(&stranger, &wanted(), &ours), Standing::Wrong(Refusal::Signature(_))),
        "the same id by another"
    );
    std::fs::remove_file(stranger.path(envelope::MANIFEST_SIGNATURE)).expect("removed");
    assert!(matches!(of(&stranger, &wanted(), &ours), Standing::Wrong(Refusal::NoSignature { .. })));
    std::fs::remove_file(stranger.path(envelope::MANIFEST)).expect("removed");
    assert!(matches!(of(&stranger, &wanted(), &ours), Standing::NoMedium));
}

#[test]
fn a_clock_on_local_time_is_noted_and_accepted() {
    let mut bench = Bench::new();
    bench.change(|m| {
        m.validity.until = Some(Timestamp::from_unix_s(NOW + 90 * 86_400).into());
        m.created = Timestamp::from_unix_s(NOW + 9 * 3600);
    });
    let (result, shown) = bench.check_typing("");
    assert!(result.is_ok() && shown.contains("[NOTE]") && shown.contains("local time"), "{shown}");
    bench.change(|m| m.created = Timestamp::from_unix_s(NOW + 15 * 3600));
    let (code, shown) = bench.refused();
    assert!(code == Code::TargetClock && shown.contains("local time"), "{shown}");
}

#[test]
fn the_password_may_be_typed_with_its_accents_apart() {
    let bench = Bench::with(&policy(), Some("p\u{e4}ssword 한국"));
    assert!(bench.check_typing("pa\u{308}ssword \u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}\r").0.is_ok());
    // On a Korean keyboard: letters, which become syllables.
    assert!(bench.check_typing("pässword ㅎㅏㄴㄱㅜㄱ\r").0.is_ok());
}

#[test]
fn read_errors_alone_do_not_accuse_anybody() {
    use crate::medium::{FileProblem, Wrong};
    let problem = |what| FileProblem { path: "f".into(), what };
    let unreadable = || Wrong::Unreadable(std::io::Error::other("EIO"));
    let code = |problems| Refusal::Files { problems }.code();
    assert_eq!(code(vec![problem(unreadable())]), Code::TargetUnreadable);
    assert_eq!(code(vec![problem(unreadable()), problem(Wrong::Content)]), Code::TargetTampered);
}
