// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use platen_cache::MediaRef;
use platen_engine::Limits;
use platen_media::examination::Depth;
use platen_media::manifest::Scheme;
use platen_station::config::Role;
use platen_station::{Paths, Targets};

/// Make USB drives into signed, bootable deployment media, and prove each one right.
///
/// Exit status: 0 all done and verified; 1 some drive failed; 2 the request or definition is wrong; 3 refused by policy:
/// signature, validity, target guard; 4 the machine lacks something. With 2 and 3 nothing was touched of what was
/// refused; only an import of several media goes on with the others.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    pub paths: PathOptions,
    /// Print one JSON object a line on standard output instead of text
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Where the station keeps its things.
#[derive(Debug, Clone, ClapArgs)]
pub struct PathOptions {
    /// Content store (an OCI image layout)
    #[arg(long, global = true, env = "PLATEN_CACHE", default_value = "/var/lib/platen/cache", value_name = "DIR")]
    pub cache: PathBuf,
    /// Trusted public keys: a minisign key file, or a folder of *.pub files
    #[arg(long, global = true, env = "PLATEN_TRUST", default_value = "/etc/platen/keys", value_name = "PATH")]
    pub trust: PathBuf,
    /// Ledger of every drive written here
    #[arg(
        long,
        global = true,
        env = "PLATEN_LEDGER",
        default_value = "/var/lib/platen/ledger.db",
        value_name = "FILE"
    )]
    pub ledger: PathBuf,
    /// Name of this station, for drive records and the ledger
    #[arg(long, global = true, env = "PLATEN_STATION", default_value = "station", value_name = "NAME")]
    pub station: String,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Signing keys
    #[command(subcommand)]
    Key(KeyVerb),
    /// Signed shim, GRUB and kernel from the distribution's packages
    #[command(subcommand)]
    BootKit(BootKitVerb),
    /// What a computer booted from a medium runs
    #[command(subcommand)]
    BootImage(BootImageVerb),
    /// Definitions of media: check, build, look at
    #[command(subcommand)]
    Media(MediaVerb),
    /// Task sequences: take in, look at, check, try out
    #[command(subcommand)]
    Sequence(SequenceVerb),
    /// The station's content store
    #[command(subcommand)]
    Cache(CacheVerb),
    /// Show what would be written to a drive, without one
    Plan(PlanOptions),
    /// Write a medium to drives, read them back, seal and record them
    Write(WriteOptions),
    /// Check drives that were written before: every listed file and boot sector
    Verify(VerifyOptions),
    /// Erase drives and prove it by reading them back; at most NIST "Clear"
    Erase(EraseOptions),
    /// Fill drives and read them back, to find fake, failing and slow ones; nothing on them is kept
    Test(TestOptions),
    /// Show which medium a drive carries, without reading all of it
    Inspect(InspectOptions),
    /// The record of every drive written here
    #[command(subcommand)]
    Ledger(LedgerVerb),
    /// A running station (platend), over its socket
    Station(StationOptions),
    /// Read the drive given as standard input, without any rights (for `verify` and `inspect`)
    #[command(hide = true)]
    ExamineDrive {
        size_bytes: u64,
        #[arg(long, value_enum)]
        depth: DepthArg,
    },
    /// The same, for `inspect --used`
    #[command(hide = true)]
    ExamineUse { size_bytes: u64, sector_bytes: u32 },
    /// The same, for `station import --from`
    #[command(hide = true)]
    ExamineLayout { size_bytes: u64, sector_bytes: u32 },
}

#[derive(Debug, ClapArgs)]
pub struct InspectOptions {
    pub drive: PathBuf,
    /// Show which parts of the drive are in use instead, by its partition table and its file systems
    #[arg(long)]
    pub used: bool,
    /// List every extent that is in use
    #[arg(long, requires = "used")]
    pub map: bool,
}

/// How a station is reached, and what it is asked for.
#[derive(Debug, ClapArgs)]
pub struct StationOptions {
    /// The station's socket
    #[arg(long, env = "PLATEN_SOCKET", default_value = "/run/platen/station.sock", value_name = "FILE")]
    pub socket: PathBuf,
    /// Log in with this role; its PIN is taken from the environment variable PLATEN_PIN
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub role: Option<Role>,
    #[command(subcommand)]
    pub verb: StationVerb,
}

/// What is done with a drive.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum WorkArg {
    /// Write a medium
    Write,
    /// Write what differs from an older version of the medium
    Update,
    /// Compare with what was signed
    Verify,
    /// Overwrite partition tables and boot sectors
    EraseQuick,
    /// Overwrite everything
    EraseFull,
    /// Fill and read back
    Test,
}

#[derive(Debug, Subcommand)]
pub enum StationVerb {
    /// Ports, drives and batches
    Status,
    /// Print what happens, one JSON object a line, until interrupted
    Watch,
    /// From now on, do this with every drive that is inserted
    Arm {
        #[arg(value_enum)]
        work: WorkArg,
        medium: Option<String>,
        /// End the batch, and begin the next, when so many good copies were made
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
        wanted: Option<u32>,
        /// In these ports only
        #[arg(long = "port", value_name = "LABEL")]
        ports: Vec<String>,
    },
    /// Begin nothing by itself any more
    Disarm {
        #[arg(long = "port", value_name = "LABEL")]
        ports: Vec<String>,
    },
    /// Do this with the drive that is in a port now
    Start {
        #[arg(value_enum)]
        work: WorkArg,
        medium: Option<String>,
        #[arg(long, value_name = "LABEL")]
        port: String,
    },
    /// Read the drive in a port, and make copies of it in others: a medium of a trusted author by its own signature, any other
    /// drive as a disk image that this station alone takes
    Duplicate {
        /// The port with the drive that is copied
        #[arg(long, value_name = "LABEL")]
        from: String,
        /// How many good copies make a batch
        #[arg(long)]
        wanted: Option<u32>,
        /// Only this port; may be given several times
        #[arg(long = "port", value_name = "LABEL")]
        ports: Vec<String>,
    },
    /// Stop what is under way
    Cancel {
        #[arg(long = "port", value_name = "LABEL")]
        ports: Vec<String>,
    },
    /// Begin nothing until `resume`; what is under way goes on
    Pause {
        #[arg(long = "port", value_name = "LABEL")]
        ports: Vec<String>,
    },
    /// Go on after a pause
    Resume {
        #[arg(long = "port", value_name = "LABEL")]
        ports: Vec<String>,
    },
    /// Check the media of a layout and copy them into the station's cache
    Import {
        /// Its folder, on the station
        #[arg(required_unless_present = "from")]
        layout: Option<PathBuf>,
        /// The port of a drive that carries it, on a FAT or exFAT volume
        #[arg(long, value_name = "PORT", conflicts_with = "layout")]
        from: Option<String>,
    },
    /// The media of the station's cache
    Media,
    /// Rows of the ledger, the newest last
    History {
        /// Only drives whose serial number contains this
        #[arg(long)]
        serial: Option<String>,
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Read and check everything in the station's cache
    Scrub,
    /// Set the PIN of a role; it is taken from the environment variable PLATEN_PIN
    SetPin {
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Print the text to be signed by a trusted key when the administrator's PIN is lost (`minisign -Sm FILE`)
    PinRequest,
    /// Take the administrator's PIN away, by that text and its signature (FILE.minisig beside it)
    ResetPin { file: PathBuf },
    /// Learn which socket has which label: a drive is inserted in one port after the other
    Learn {
        #[arg(required = true, value_name = "LABEL")]
        labels: Vec<String>,
    },
    /// Write what helps others to find a fault into a new folder in this one
    Diagnostics {
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// End the station, when what is under way was stopped; an appliance switches itself off then
    ShutDown,
    /// On an appliance: install the update of its own system that was brought on a drive
    InstallUpdate {
        /// The release it brings, as `status` says
        version: String,
        /// It may be older than what was in use
        #[arg(long)]
        older: bool,
    },
    /// On an appliance: start it anew
    Restart,
    /// On an appliance: make the disk for its data anew, when it can't be read or repaired. What was on it is lost
    MakeDataAnew,
}

fn role(word: &str) -> Result<Role, String> {
    let known = Role::ALL.iter().copied().find(|role| role.word() == word);
    known.ok_or_else(|| {
        format!("expected one of {}", Role::ALL.iter().map(|role| role.word()).collect::<Vec<_>>().join(", "))
    })
}

#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// Make a key pair: NAME.key stays offline, NAME.pub goes to stations and boot images
    New {
        name: String,
        /// Folder to write both files to
        #[arg(long, default_value = ".", value_name = "DIR")]
        out: PathBuf,
        /// File with the password that protects NAME.key
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Show a public key's number
    Show { key: PathBuf },
}

#[derive(Debug, Subcommand)]
pub enum BootKitVerb {
    /// Collect a boot kit
    Collect {
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Keep downloaded packages here and use them again
        #[arg(long, value_name = "DIR")]
        packages: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum BootImageVerb {
    /// Assemble a boot image for a boot kit's kernel
    Build {
        #[arg(long, value_name = "DIR")]
        kit: PathBuf,
        /// Public keys the booted computer trusts
        #[arg(long, required = true, value_name = "FILE")]
        trusted: Vec<PathBuf>,
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The program to run; by default platen-deploy beside this program, or in ../lib/platen
        #[arg(long, value_name = "FILE")]
        deploy: Option<PathBuf>,
        /// Other programs of Platen for the booted computer; by default platen-hive and platen-deploy.exe where they are
        /// beside platen-deploy
        #[arg(long = "program", value_name = "FILE")]
        programs: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum MediaVerb {
    /// Check a definition and its task sequence without building
    Lint { definition: PathBuf },
    /// Build and sign a medium
    Build {
        definition: PathBuf,
        /// Secret key file
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// File with the key's password
        #[arg(long, value_name = "FILE")]
        key_password_file: Option<PathBuf>,
        /// OCI image layout to add the medium to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Describe a built medium
    Show {
        layout: PathBuf,
        /// Which one, when the layout holds several
        medium: Option<MediaRef>,
    },
    /// What changed between two media of a layout
    Diff { layout: PathBuf, old: MediaRef, new: MediaRef },
}

#[derive(Debug, Subcommand)]
pub enum SequenceVerb {
    /// Take in what Configuration Manager or MDT exported: a .zip, an XML file, or a deployment share
    Import {
        file: PathBuf,
        /// New folder for the sequence, its scripts, a definition and a report
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Print a sequence's groups and steps
    Show { file: PathBuf },
    /// Write a sequence in another form, by the ending of its name: .toml or .xml
    Convert {
        file: PathBuf,
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Check a sequence by the rules for stand-alone media, as if the medium had all that it needs
    Lint {
        file: PathBuf,
        /// Also write the sequence with every cure that is known to this file (.toml or .xml)
        #[arg(long, value_name = "FILE")]
        fix: Option<PathBuf>,
    },
    /// Say what would happen on a computer, step by step, if every step that can run succeeds
    Run {
        file: PathBuf,
        /// Only say it
        #[arg(long, required = true)]
        dry: bool,
        /// A description of the computer, or "here" for this one
        #[arg(long, value_name = "FILE")]
        facts: PathBuf,
    },
    /// What differs between two sequences
    Diff { old: PathBuf, new: PathBuf },
}

#[derive(Debug, Subcommand)]
pub enum CacheVerb {
    /// Check and copy media from a layout (a folder or a mounted USB drive)
    Import {
        layout: PathBuf,
        /// Only this one
        medium: Option<MediaRef>,
        /// Most the cache may hold, in bytes
        #[arg(long, env = "PLATEN_CACHE_QUOTA", value_name = "BYTES")]
        quota: Option<u64>,
    },
    /// List all media
    List,
    /// Describe one medium
    Show { medium: MediaRef },
    /// Read everything and check every digest
    Scrub,
    /// Remove superseded media that are not pinned, and content nothing needs
    Gc,
    /// Show the oldest revision that is accepted of each medium, and whose key signs it; or change that
    Minimum {
        /// Only this one
        id: Option<String>,
        /// Accept this revision and newer ones; media here that are newer leave the list (it is recorded in the ledger)
        #[arg(long, value_name = "REVISION", requires = "id")]
        set: Option<u32>,
        /// Let this trusted key sign it from now on (it is recorded in the ledger)
        #[arg(long, value_name = "KEY NUMBER", requires = "id")]
        key: Option<String>,
    },
    /// Keep a medium when newer revisions arrive, and let it be written although they are here
    Pin {
        medium: MediaRef,
        /// Keep it no longer
        #[arg(long)]
        remove: bool,
    },
}

/// How the partition table is written.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum SchemeArg {
    /// Starts on BIOS and UEFI computers
    #[default]
    Mbr,
    /// With a BIOS boot partition; for firmware that insists on it
    Gpt,
}

impl From<PathOptions> for Paths {
    fn from(options: PathOptions) -> Self {
        let PathOptions { cache, trust, ledger, station } = options;
        Self { cache, trust, ledger, updates: None, station }
    }
}

impl DriveOptions {
    pub fn targets(&self) -> Targets {
        Targets {
            drives: self.drives.clone(),
            seat: None,
            allowed: self.allow_device.clone(),
            rescan: self.rescan,
            limits: Limits {
                stall: Duration::from_secs(self.stall_limit),
                minimum_bytes_per_s: self.speed_floor * 1000,
                attempts: if self.retry { 2 } else { 1 },
            },
        }
    }
}

impl From<DepthArg> for Depth {
    fn from(arg: DepthArg) -> Self {
        match arg {
            DepthArg::Names => Self::Names,
            DepthArg::Places => Self::Places,
            DepthArg::Content => Self::Content,
        }
    }
}

impl From<SchemeArg> for Scheme {
    fn from(arg: SchemeArg) -> Self {
        match arg {
            SchemeArg::Mbr => Self::Mbr,
            SchemeArg::Gpt => Self::Gpt,
        }
    }
}

/// How much of a drive is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DepthArg {
    /// Names and sizes
    Names,
    /// And where files begin
    Places,
    /// And what is in them
    Content,
}

#[derive(Debug, ClapArgs)]
pub struct PlanOptions {
    pub medium: MediaRef,
    /// Size of the drive in bytes
    #[arg(long, value_name = "BYTES", required_unless_present = "drive", conflicts_with = "drive")]
    pub size: Option<u64>,
    /// Sector size of that drive
    #[arg(long, value_name = "BYTES", default_value_t = 512, requires = "size", value_parser = sector_size)]
    pub sector_size: u32,
    /// Take size and sector size from this drive; it is only looked at
    #[arg(long, value_name = "DEV")]
    pub drive: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    pub scheme: SchemeArg,
    /// List every extent
    #[arg(long)]
    pub map: bool,
}

fn sector_size(text: &str) -> Result<u32, String> {
    match text {
        "512" => Ok(512),
        "4096" => Ok(4096),
        _ => Err("expected 512 or 4096".to_owned()),
    }
}

/// Which drives, and what is expected of them.
#[derive(Debug, ClapArgs)]
pub struct DriveOptions {
    /// Removable USB drives, or image files of the drive's size
    #[arg(required = true)]
    pub drives: Vec<PathBuf>,
    /// Also accept this block device, which is no removable USB drive
    #[arg(long, value_name = "DEV")]
    pub allow_device: Vec<PathBuf>,
    /// Start over once with a drive that refused an operation; never with one that gave back wrong data
    #[arg(long)]
    pub retry: bool,
    /// When a drive is finished, let the kernel read its new partition table (a desktop may mount it then)
    #[arg(long)]
    pub rescan: bool,
    /// Give up a drive that does not answer for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    pub stall_limit: u64,
    /// Give up a drive that is slower than this over 20 seconds; 0: never
    #[arg(long, value_name = "KB_PER_S", default_value_t = 1000)]
    pub speed_floor: u64,
}

#[derive(Debug, ClapArgs)]
pub struct WriteOptions {
    pub medium: MediaRef,
    #[command(flatten)]
    pub on: DriveOptions,
    #[arg(long, value_enum, default_value_t, conflicts_with = "update")]
    pub scheme: SchemeArg,
    /// Write only what differs from an older version of the medium that the drives carry; all is read back
    #[arg(long)]
    pub update: bool,
}

#[derive(Debug, ClapArgs)]
pub struct EraseOptions {
    #[command(flatten)]
    pub on: DriveOptions,
    /// Overwrite every byte that has an address, not only partition tables and boot sectors
    #[arg(long)]
    pub full: bool,
}

#[derive(Debug, ClapArgs)]
pub struct TestOptions {
    #[command(flatten)]
    pub on: DriveOptions,
}

#[derive(Debug, ClapArgs)]
pub struct VerifyOptions {
    #[arg(required = true)]
    pub drives: Vec<PathBuf>,
    /// Compare with this medium of the cache (needed for raw images, which carry no manifest)
    #[arg(long, value_name = "MEDIUM")]
    pub medium: Option<MediaRef>,
    /// One of these stations must have written the drive and read it back: its public key, or a folder of them
    #[arg(long, value_name = "FILE")]
    pub stations: Option<PathBuf>,
    /// Give up a drive that does not answer for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    pub stall_limit: u64,
}

#[derive(Debug, Subcommand)]
pub enum LedgerVerb {
    /// List all rows
    List,
    /// Follow the chain of hashes from the first row to the last
    Check {
        /// An earlier head, its hash or a file with the signed one: also find rows cut off or made anew since
        #[arg(long, value_name = "SHA256|FILE")]
        head: Option<String>,
    },
    /// Check the chain and print its head, signed by this station's key (station.pub beside the ledger checks it)
    Head,
    /// Print all rows as a table or document
    Export {
        #[arg(long, value_enum, default_value_t)]
        format: ExportFormat,
        /// Also write the signed head to this file, for `ledger check --head`
        #[arg(long, value_name = "FILE")]
        head: Option<PathBuf>,
        /// Also write this station's public key to this file, for `verify --stations` elsewhere
        #[arg(long, value_name = "FILE")]
        public_key: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum ExportFormat {
    #[default]
    Csv,
    Json,
}
