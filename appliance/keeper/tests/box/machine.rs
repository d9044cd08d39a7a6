// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The played machine.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use platen_events::{SystemRequest, SystemState};
use tempfile::TempDir;

const MIB: u64 = 1024 * 1024;
/// The partition is larger than the file system that the image brings.
const DATA_MIB: u64 = 256;
const DATA_BEFORE_MIB: u64 = 160;

/// How the machine ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// reboot(2) was asked to start it anew.
    Restarted,
    /// reboot(2) was asked to switch it off.
    SwitchedOff,
    /// The service ended, and nothing else.
    Exited,
    /// Something else.
    Otherwise(String),
}

/// A box: its root and its disks.
pub(crate) struct Box {
    folder: TempDir,
    loops: Vec<PathBuf>,
    service: Option<Child>,
    has_boot: bool,
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}: see appliance/install-packages test"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of this test is text")
}

/// A key and its certificate, for this test alone.
fn make_key(key: &Path, cert: &Path) {
    let subject = ["-subj", "/CN=INSECURE test", "-days", "2"];
    let made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", text(key), "-out", text(cert)];
    run("openssl", &[made.as_slice(), &subject].concat());
}

impl Box {
    /// One whose station does this.
    pub(crate) fn new(mode: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("platen-box-").tempdir().expect("a folder");
        // What is in it is reached by the station's user.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("opened");
        let mut new = Self { folder, loops: Vec::new(), service: None, has_boot: true };
        new.lay_root(mode);
        new.make_disks();
        new
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn put(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, content).expect("written");
    }

    fn lay_root(&self, mode: &str) {
        for folder in
            ["proc", "sys", "dev", "run", "data", "tmp", "host/bin", "usr/lib", "usr/lib64", "usr/sbin", "usr/bin"]
        {
            fs::create_dir_all(self.root().join(folder)).expect("made");
        }
        for link in ["lib", "lib64", "sbin", "bin"] {
            symlink(format!("usr/{link}"), self.root().join(link)).expect("linked");
        }
        self.put("etc/os-release", "ID=platen\nVERSION_ID=\"1.4.0\"\nVARIANT_ID=played\n");
        self.put("etc/passwd", "root:x:0:0::/:/bin/false\nplaten:x:990:990::/data/platen:/bin/false\n");
        self.put("etc/group", "root:x:0:\nplaten:x:990:\nplaten-drives:x:991:platen\n");
        self.put("usr/share/platen/mode", mode);
        self.put("usr/share/platen/box/station.toml", "name = \"image\"\n");
        self.put("usr/share/platen/box/keys/image.pub", "key\n");
        self.put("usr/share/platen/box/ports.toml", "# none\n");
        fs::copy(std::env::current_exe().expect("this"), self.root().join("usr/bin/platend")).expect("copied");
        fs::copy(env!("CARGO_BIN_EXE_platen-keeper"), self.root().join("usr/bin/platen-keeper")).expect("copied");
        fs::create_dir_all(self.root().join("etc/rauc")).expect("made");
        let (key, cert) = (self.file("INSECURE-test.key"), self.root().join("etc/rauc/keyring.pem"));
        make_key(&key, &cert);
        self.put(
            "etc/rauc/system.conf",
            "[system]\ncompatible=platen-played\nbootloader=custom\n[handlers]\n\
             bootloader-custom-backend=/usr/bin/bootloader\n[keyring]\npath=/etc/rauc/keyring.pem\n",
        );
        self.put("usr/bin/bootloader", "#!/host/bin/sh\nexec /usr/bin/platen-keeper bootloader \"$@\"\n");
        let program = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(self.root().join("usr/bin/bootloader"), program).expect("made a program");
        // The machine's own devices are none of the box's.
        symlink("/host/bin/true", self.root().join("usr/bin/udevadm")).expect("linked");
        symlink("/host/bin/rauc", self.root().join("usr/bin/rauc")).expect("linked");
    }

    fn make_disks(&mut self) {
        let env = self.file("grubenv");
        run("grub-editenv", &[text(&env), "create"]);
        let at_start = ["ORDER=A B", "A_OK=1", "A_LEFT=3", "B_OK=1", "B_LEFT=3"];
        run("grub-editenv", &[&[text(&env), "set"], at_start.as_slice()].concat());
        // Not every kernel that tests run on knows FAT; what matters here is that it is mounted, and locked.
        let (boot, tree) = (self.file("boot.img"), self.file("boot"));
        fs::create_dir_all(tree.join("boot/grub")).expect("made");
        fs::create_dir_all(tree.join("platen")).expect("made");
        fs::copy(&env, tree.join("boot/grub/grubenv")).expect("copied");
        run("mke2fs", &["-q", "-t", "ext2", "-d", text(&tree), text(&boot), "4M"]);
        let data = self.file("data.img");
        File::create(&data).and_then(|file| file.set_len(DATA_MIB * MIB)).expect("a file");
        run("mke2fs", &["-q", "-t", "ext4", text(&data), &format!("{DATA_BEFORE_MIB}M")]);
        self.attach();
    }

    /// The disks behind loop devices, and sysfs as it would show them.
    fn attach(&mut self) {
        let root = fs::metadata(self.root()).expect("there").dev();
        let disk = self.root().join("sys/devices/played");
        let parts = [("root-a", 4, None), ("PLATEN-BOOT", 2, Some("boot.img")), ("data", 7, Some("data.img"))];
        let mut start = 2048;
        for (name, number, image) in parts {
            let part = disk.join(format!("played{number}"));
            fs::create_dir_all(&part).expect("made");
            let (device, sectors) = match image {
                None => ("none".to_owned(), 2048),
                Some(image) => {
                    let image = self.file(image);
                    let device = run("losetup", &["--find", "--show", text(&image)]).trim().to_owned();
                    self.loops.push(PathBuf::from(&device));
                    let name = device.trim_start_matches("/dev/").to_owned();
                    (name, fs::metadata(&image).expect("there").len() / 512)
                }
            };
            fs::write(part.join("partition"), format!("{number}\n")).expect("written");
            fs::write(part.join("start"), format!("{start}\n")).expect("written");
            fs::write(part.join("size"), format!("{sectors}\n")).expect("written");
            fs::write(part.join("uevent"), format!("DEVNAME={device}\nPARTN={number}\nPARTNAME={name}\n"))
                .expect("written");
            start += sectors;
        }
        fs::write(disk.join("size"), format!("{}\n", start + 34)).expect("written");
        fs::write(disk.join("uevent"), "DEVNAME=none\n").expect("written");
        // The root is checked while it is read: a device that lies on the partition.
        let map = self.root().join("sys/devices/map/slaves");
        fs::create_dir_all(&map).expect("made");
        symlink("../../played/played4", map.join("played4")).expect("linked");
        let (major, minor) = (nix::sys::stat::major(root), nix::sys::stat::minor(root));
        fs::create_dir_all(self.root().join("sys/dev/block")).expect("made");
        symlink("../../devices/map", self.root().join(format!("sys/dev/block/{major}:{minor}"))).expect("linked");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Set variables of the boot loader, as GRUB's own tool does.
    pub(crate) fn set_boot(&self, values: &[&str]) {
        let env = self.file("grubenv");
        run("grub-editenv", &[&[text(&env), "set"], values].concat());
        self.bring("boot/grub/grubenv", &fs::read(&env).expect("there"));
    }

    /// A file on the boot partition.
    pub(crate) fn bring(&self, path: &str, content: &[u8]) {
        let (boot, file) = (self.file("boot.img"), self.file("brought"));
        fs::write(&file, content).expect("written");
        if !run("debugfs", &["-R", &format!("stat /{path}"), text(&boot)]).is_empty() {
            run("debugfs", &["-w", "-R", &format!("rm /{path}"), text(&boot)]);
        }
        run("debugfs", &["-w", "-R", &format!("write {} /{path}", text(&file)), text(&boot)]);
    }

    /// Nothing of the file system is left.
    pub(crate) fn destroy_data(&self) {
        let file = OpenOptions::new().write(true).open(self.file("data.img")).expect("there");
        let noise: Vec<u8> = (0..MIB).map(|at| (at * 7 % 251) as u8).collect();
        (0..DATA_MIB).for_each(|at| file.write_all_at(&noise, at * MIB).expect("written"));
    }

    /// Nothing of the boot partition is left.
    pub(crate) fn destroy_boot(&mut self) {
        self.has_boot = false;
        let file = OpenOptions::new().write(true).open(self.file("boot.img")).expect("there");
        file.write_all_at(&vec![0; MIB as usize], 0).expect("written");
    }

    /// Switch it on.
    pub(crate) fn start_from(&mut self, slot: &str) {
        let root = self.root();
        fs::write(self.file("cmdline"), format!("console=tty0 platen.slot={slot}\n")).expect("written");
        let script = format!(
            "set -e; cd {root}
            mount --rbind /dev dev; mount -t tmpfs run run; mount -t proc proc proc; mount --bind {line} proc/cmdline
            for folder in lib lib64 sbin; do mount --rbind /usr/$folder usr/$folder; done
            mount --bind /usr/bin host/bin
            {boot}
            exec chroot . /usr/bin/platen-keeper run",
            boot = if self.has_boot {
                format!(
                    "mkdir run/platen-boot; mount -o ro,noexec,nosuid,nodev {} run/platen-boot",
                    text(&self.loops[0])
                )
            } else {
                String::new()
            },
            root = text(&root),
            line = text(&self.file("cmdline")),
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", &script]);
        command.env("PATH", "/usr/bin:/usr/sbin:/bin:/sbin").stdin(Stdio::null());
        let log = File::create(self.file("console")).expect("a file");
        command.stdout(log.try_clone().expect("a handle")).stderr(log);
        self.service = Some(command.spawn().expect("unshare runs"));
    }

    /// A path as the running service sees it.
    fn inside(&self, path: &str) -> Option<PathBuf> {
        let unshare = self.service.as_ref()?.id();
        let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).ok()?;
        let service = children.split_whitespace().next()?.to_owned();
        Some(PathBuf::from(format!("/proc/{service}/root{path}")))
    }

    fn connect(&self) -> Option<UnixStream> {
        UnixStream::connect(self.inside("/run/platen-keeper.sock")?).ok()
    }

    /// What it says of itself, once it is so.
    pub(crate) fn state_when(&mut self, limit: Duration, is_so: impl Fn(&SystemState) -> bool) -> SystemState {
        let deadline = Instant::now() + limit;
        let mut last = None;
        while Instant::now() < deadline {
            if let Some(stream) = self.connect() {
                stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a socket");
                let mut lines = BufReader::new(stream).lines();
                while let Some(Ok(line)) = lines.next() {
                    let state: SystemState = serde_json::from_str(&line).expect("a state");
                    if is_so(&state) {
                        return state;
                    }
                    last = Some(state);
                }
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("it was never so; at last {last:?}\n{}", self.console());
    }

    /// Ask it for something.
    pub(crate) fn ask(&self, request: &SystemRequest) {
        let mut stream = self.connect().unwrap_or_else(|| panic!("nobody listens\n{}", self.console()));
        let line = serde_json::to_string(request).expect("JSON") + "\n";
        stream.write_all(line.as_bytes()).expect("asked");
        // It is heard before the connection is taken away.
        thread::sleep(Duration::from_millis(500));
    }

    /// The boot loader's variables, as GRUB's own tool sees them.
    pub(crate) fn boot(&self) -> String {
        let inside = self.inside("/run/platen-boot/boot/grub/grubenv").filter(|path| path.exists());
        let env = inside.unwrap_or_else(|| {
            let env = self.file("grubenv-now");
            run("debugfs", &["-R", &format!("dump /boot/grub/grubenv {}", text(&env)), text(&self.file("boot.img"))]);
            env
        });
        run("grub-editenv", &[text(&env), "list"])
    }

    /// The same, once they are so.
    pub(crate) fn boot_when(&self, limit: Duration, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + limit;
        loop {
            let boot = self.boot();
            if is_so(&boot) {
                return boot;
            }
            assert!(Instant::now() < deadline, "they were never so: {boot}\n{}", self.console());
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// A file of the disk for data.
    pub(crate) fn data_file(&self, path: &str) -> String {
        match self.inside(&format!("/data/{path}")) {
            Some(path) => fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            None => run("debugfs", &["-R", &format!("cat /{path}"), text(&self.file("data.img"))]),
        }
    }

    /// Whether it is there. The machine is on.
    pub(crate) fn data_has(&self, path: &str) -> bool {
        self.inside(&format!("/data/{path}")).is_some_and(|path| path.exists())
    }

    /// Put a file there. The machine is on.
    pub(crate) fn data_put(&self, path: &str, content: &[u8]) {
        fs::write(self.inside(&format!("/data/{path}")).expect("it is on"), content).expect("written");
    }

    /// A bundle, signed by the key that the box trusts, or by another.
    pub(crate) fn bundle(&self, board: &str, version: &str, is_trusted: bool) -> Vec<u8> {
        let (content, bundle) = (self.file("content"), self.file("bundle.raucb"));
        let _ = fs::remove_dir_all(&content);
        let _ = fs::remove_file(&bundle);
        fs::create_dir(&content).expect("made");
        // Something that does not become small by being packed.
        let mut noise = vec![0; 64 * 1024];
        File::open("/dev/urandom").and_then(|mut from| from.read_exact(&mut noise)).expect("noise");
        fs::write(content.join("root.img"), noise).expect("written");
        let manifest = format!(
            "[update]\ncompatible=platen-{board}\nversion={version}\n[bundle]\nformat=verity\n\
             [image.rootfs]\nfilename=root.img\n"
        );
        fs::write(content.join("manifest.raucm"), manifest).expect("written");
        let (mut key, mut cert) = (self.file("INSECURE-test.key"), self.root().join("etc/rauc/keyring.pem"));
        if !is_trusted {
            (key, cert) = (self.file("INSECURE-other.key"), self.file("INSECURE-other.pem"));
            make_key(&key, &cert);
        }
        let signed_by = [format!("--key={}", text(&key)), format!("--cert={}", text(&cert))];
        run("rauc", &["bundle", &signed_by[0], &signed_by[1], text(&content), text(&bundle)]);
        fs::read(&bundle).expect("there")
    }

    /// How large the file system for data is, in bytes.
    pub(crate) fn data_size(&self) -> u64 {
        platen_keeper::data::file_system_bytes(&self.loops[1]).expect("a file system")
    }

    /// The disk for data needs no repair.
    pub(crate) fn data_is_clean(&self) -> bool {
        let shown = run("dumpe2fs", &["-h", text(&self.file("data.img"))]);
        run("e2fsck", &["-f", "-n", text(&self.file("data.img"))]);
        shown.contains("Filesystem state:         clean") && !shown.contains("needs_recovery")
    }

    /// Ask the service to end.
    pub(crate) fn terminate(&self) {
        let path = self.inside("").expect("it is on");
        let service =
            path.components().nth(2).and_then(|name| name.as_os_str().to_str()?.parse().ok()).expect("a number");
        kill(Pid::from_raw(service), Signal::SIGTERM).expect("signalled");
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&mut self, limit: Duration) -> Ended {
        let deadline = Instant::now() + limit;
        let service = self.service.as_mut().expect("it is on");
        let status = loop {
            match service.try_wait().expect("it can be waited for") {
                Some(status) => break status,
                None if Instant::now() > deadline => panic!("it did not end\n{}", self.console()),
                None => thread::sleep(Duration::from_millis(100)),
            }
        };
        self.service = None;
        // pid_namespaces(7): who waits for the first process is told by a signal.
        match (status.signal(), status.code()) {
            (Some(1), _) | (_, Some(129)) => Ended::Restarted,
            (Some(2), _) | (_, Some(130)) => Ended::SwitchedOff,
            (_, Some(0)) => Ended::Exited,
            _ => Ended::Otherwise(format!("{status}\n{}", self.console())),
        }
    }

    fn console(&self) -> String {
        fs::read_to_string(self.file("console")).unwrap_or_default()
    }
}

impl Drop for Box {
    fn drop(&mut self) {
        if let Some(mut service) = self.service.take() {
            // Its namespaces end with it.
            let _ = service.kill();
            let _ = service.wait();
            thread::sleep(Duration::from_millis(300));
        }
        for device in &self.loops {
            let _ = Command::new("losetup").arg("--detach").arg(device).output();
        }
    }
}
