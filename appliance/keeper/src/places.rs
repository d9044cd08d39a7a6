// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where everything is. On an appliance below `/`; in a test below a folder.

use std::path::{Path, PathBuf};

/// What the station runs as, and the group of those that may talk to it.
pub const USER: &str = "platen";

/// Files, folders and programs that this program uses.
#[derive(Debug, Clone)]
pub struct Places {
    root: PathBuf,
    /// The program that installs updates.
    pub rauc: PathBuf,
    /// The station.
    pub platend: PathBuf,
}

impl Places {
    /// All of it below a folder. `/` is an appliance.
    pub fn below(root: &Path) -> Self {
        let root = root.to_owned();
        Self { rauc: PathBuf::from("rauc"), platend: root.join("usr/bin/platend"), root }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The root of the running system.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The kernel's command line.
    pub fn command_line(&self) -> PathBuf {
        self.at("proc/cmdline")
    }

    /// Release and board.
    pub fn os_release(&self) -> PathBuf {
        self.at("etc/os-release")
    }

    /// Says where U-Boot keeps its environment, on boards that have it.
    pub fn uboot_config(&self) -> PathBuf {
        self.at("etc/fw_env.config")
    }

    /// The kernel's view of its devices.
    pub fn sys(&self) -> PathBuf {
        self.at("sys")
    }

    /// Device files.
    pub fn dev(&self) -> PathBuf {
        self.at("dev")
    }

    /// The hardware's watchdog.
    pub fn watchdog(&self) -> PathBuf {
        self.at("dev/watchdog")
    }

    /// Links to this disk's partitions, by name. RAUC finds its slots here.
    pub fn disk(&self) -> PathBuf {
        self.at("run/platen-disk")
    }

    /// Where the boot partition is mounted.
    pub fn boot(&self) -> PathBuf {
        self.at("run/platen-boot")
    }

    /// GRUB's environment block.
    pub fn grubenv(&self) -> PathBuf {
        self.boot().join("boot/grub/grubenv")
    }

    /// What people put onto the boot partition.
    pub fn brought_settings(&self) -> PathBuf {
        self.boot().join("platen")
    }

    /// The image's own settings.
    pub fn image_settings(&self) -> PathBuf {
        self.at("usr/share/platen/box")
    }

    /// The settings in use.
    pub fn settings(&self) -> PathBuf {
        self.at("run/platen-config")
    }

    /// What a board has in front of it.
    pub fn board_file(&self, board: &str) -> PathBuf {
        self.at("usr/share/platen/boards").join(board).join("board.toml")
    }

    /// The disk for data.
    pub fn data(&self) -> PathBuf {
        self.at("data")
    }

    /// The station's own folder there.
    pub fn station_data(&self) -> PathBuf {
        self.data().join("platen")
    }

    /// Where the station puts updates that were brought.
    pub fn incoming(&self) -> PathBuf {
        self.data().join("incoming")
    }

    /// What only this program writes.
    pub fn own_data(&self) -> PathBuf {
        self.data().join("keeper")
    }

    /// The update that is offered.
    pub fn offer(&self) -> PathBuf {
        self.own_data().join("offer.raucb")
    }

    /// An update while it is looked at.
    pub fn candidate(&self) -> PathBuf {
        self.own_data().join("candidate.raucb")
    }

    /// The newest release that was ever healthy here.
    pub fn floor(&self) -> PathBuf {
        self.own_data().join("floor")
    }

    /// What this program and the station said.
    pub fn log(&self) -> PathBuf {
        self.data().join("log")
    }

    /// The station's folder for its socket.
    pub fn station_run(&self) -> PathBuf {
        self.at("run/platen")
    }

    /// Held while the boot loader's variables are changed.
    pub fn boot_lock(&self) -> PathBuf {
        self.at("run/platen-keeper.lock")
    }

    /// Where the station says how it gets on.
    pub fn notify_socket(&self) -> PathBuf {
        self.at("run/platen-keeper-notify.sock")
    }

    /// Where the station asks.
    pub fn socket(&self) -> PathBuf {
        self.at("run/platen-keeper.sock")
    }
}
