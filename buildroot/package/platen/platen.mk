################################################################################
#
# platen
#
################################################################################

PLATEN_VERSION = local
PLATEN_SITE = $(realpath $(BR2_EXTERNAL_PLATEN_PATH)/..)
PLATEN_SITE_METHOD = local
PLATEN_LICENSE = GPL-3.0-or-later
PLATEN_LICENSE_FILES = LICENSE
PLATEN_DEPENDENCIES = host-pkgconf udev wimlib

# Where the sources are the checkout itself: what is no source of the programs.
PLATEN_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude target --exclude buildroot

# A checkout brings its crates by name only. They are fetched once, before the build, which is offline.
define PLATEN_FETCH_CRATES
	cd $(@D) && $(TARGET_MAKE_ENV) $(PKG_COMMON_CARGO_ENV) cargo fetch --locked
endef
PLATEN_PRE_BUILD_HOOKS += PLATEN_FETCH_CRATES

# The root package is the tool and the station; the program that keeps the station is a package of its own.
PLATEN_PACKAGES = platen $(if $(wildcard $(PLATEN_SITE)/appliance/keeper/Cargo.toml),platen-keeper)
PLATEN_CARGO_BUILD_OPTS = $(addprefix --package ,$(PLATEN_PACKAGES)) --bins

# The archive that goes with the licences is of the sources; what cargo made of them is some gigabytes.
define PLATEN_REMOVE_BUILT
	rm -rf $(@D)/target
endef
PLATEN_PRE_LEGAL_INFO_HOOKS += PLATEN_REMOVE_BUILT

define PLATEN_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 -t $(TARGET_DIR)/usr/bin \
		$(@D)/target/$(RUSTC_TARGET_NAME)/release/platen \
		$(@D)/target/$(RUSTC_TARGET_NAME)/release/platend
	$(if $(filter platen-keeper,$(PLATEN_PACKAGES)), \
		$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/release/platen-keeper \
			$(TARGET_DIR)/usr/sbin/platen-keeper)
	$(INSTALL) -D -m 0644 $(@D)/appliance/packaging/59-platen.rules \
		$(TARGET_DIR)/usr/lib/udev/rules.d/59-platen.rules
endef

# The station's user, the group of those who may talk to it, and the group of the drives in its ports. What is on the data
# partition belongs to these numbers, so they stay the same from release to release.
define PLATEN_USERS
	platen 900 platen 900 * /data/platen - platen-drives,video,input,gpio,spi,i2c Platen station
	- -1 platen-drives 901 - - - - Drives in the station's ports
	- -1 gpio 902 - - - - GPIO lines
	- -1 spi 903 - - - - Devices at SPI
	- -1 i2c 904 - - - - Devices at I2C
endef

$(eval $(cargo-package))
