// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which Windows it is about.

/// A processor architecture, by the names that INF and answer files share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Architecture {
    /// 32-bit x86.
    X86,
    /// 64-bit x86.
    Amd64,
    /// Itanium.
    Ia64,
    /// 32-bit ARM.
    Arm,
    /// 64-bit ARM.
    Arm64,
}

impl Architecture {
    const ALL: [(Self, &'static str); 5] =
        [(Self::X86, "x86"), (Self::Amd64, "amd64"), (Self::Ia64, "ia64"), (Self::Arm, "arm"), (Self::Arm64, "arm64")];

    /// As INF and answer files name it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(it, _)| *it == self).map_or("", |(_, name)| name)
    }

    /// By that name, in any case of letters; `x86_64`, as WIM files are described, is taken too.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("x86_64") { "amd64" } else { name };
        Self::ALL.iter().find(|(_, it)| it.eq_ignore_ascii_case(name)).map(|(it, _)| *it)
    }
}

/// The kind of Windows, with the numbers of `VER_NT_*` (winnt.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProductType {
    /// For people's computers.
    Workstation = 1,
    /// A server that is a domain controller.
    DomainController = 2,
    /// Any other server.
    Server = 3,
}

/// The Windows that drivers are chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    /// Of the image.
    pub architecture: Architecture,
    /// 10 for Windows 10 and 11.
    pub major: u32,
    /// 0 for Windows 10 and 11.
    pub minor: u32,
    /// For example 19045.
    pub build: u32,
    /// Workstation or server.
    pub product: ProductType,
    /// Bits of `VER_SUITE_*` (winnt.h).
    pub suite_mask: u32,
}
