# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Read by Buildroot before any package (BR2_PACKAGE_OVERRIDE_FILE): what the distribution has takes the place of what
# Buildroot would fetch from elsewhere. PLATEN_REGISTRY is the folder that buildroot/registry/prepare filled.

# --- Programs of the machine in the place of host packages: they are linked into the host folder, and nothing is built.
# Buildroot's own definitions come later and are plain, so `override` keeps these.
#   $(1): the package; $(2): its programs
define platen-stand-in
HOST_$(1)_OVERRIDE_SRCDIR = $(PLATEN_REGISTRY)/nothing
override HOST_$(1)_DEPENDENCIES =
override HOST_$(1)_AUTORECONF = NO
override HOST_$(1)_LIBTOOL_PATCH = NO
override HOST_$(1)_PRE_CONFIGURE_HOOKS =
override HOST_$(1)_POST_CONFIGURE_HOOKS =
override HOST_$(1)_POST_BUILD_HOOKS =
$(if $(filter AUTOMAKE PKGCONF,$(1)),,override HOST_$(1)_POST_INSTALL_HOOKS =)
override HOST_$(1)_LICENSE_FILES =
override HOST_$(1)_REDISTRIBUTE = NO
override HOST_$(1)_CONFIGURE_CMDS = true
override HOST_$(1)_BUILD_CMDS = true
override HOST_$(1)_INSTALL_CMDS = mkdir -p $$(HOST_DIR)/bin $$(foreach program,$(2),&& ln -sf $$$$(PATH=$$(BR2_EXTERNAL_PLATEN_PATH)/registry:$(PLATEN_REGISTRY)/python/bin:/usr/sbin:/usr/bin:/usr/lib/x86_64-linux-gnu/glib-2.0 command -v $$(program)) $$(HOST_DIR)/bin/$$(program))
endef

platen-stand-ins = \
	acl: attr: bzip2: elfutils: eudev: expat: gettext: json-c: json-glib: libaio: libconfuse: libffi: \
	libopenssl: libxcrypt: libzlib: lvm2: lz4: lzo: pcre2: popt: util-linux: xz: \
	autoconf:autoconf,autoheader,autom4te,autoreconf,autoscan,autoupdate,ifnames \
	autoconf-archive: \
	automake:automake,aclocal \
	bison:bison,yacc \
	cryptsetup:veritysetup \
	dosfstools:fsck.fat,mkfs.fat \
	fakeroot:fakeroot,faked \
	flex:flex \
	gawk:gawk \
	genimage:genimage \
	gettext-tiny:msgfmt,msgmerge,xgettext,autopoint,gettextize \
	gperf:gperf \
	grub2:grub-mkimage,grub-script-check \
	kmod:depmod,kmod \
	libglib2:glib-compile-schemas,glib-genmarshal,glib-mkenums \
	libtool:libtoolize \
	m4:m4 \
	meson:meson \
	mtools:mcopy,mmd,mdir,mtype,mdel,mformat,minfo,mtools \
	ninja:ninja \
	patchelf:patchelf \
	pkgconf:pkgconf \
	python3:python3 \
	python-flit-core: python-installer: python-packaging: python-pypa-build: python-pyproject-hooks: \
	python-setuptools: python-wheel: \
	rauc:rauc \
	squashfs:mksquashfs,unsquashfs \
	tar:tar \
	zstd:zstd

platen-comma = ,
platen-upper = $(shell printf %s '$(1)' | tr 'a-z-' 'A-Z_')
$(foreach each,$(platen-stand-ins),\
	$(eval $(call platen-stand-in,$(call platen-upper,$(firstword $(subst :, ,$(each)))),$(subst $(platen-comma), ,$(word 2,$(subst :, ,$(each)))))))

# Whoever asks for meson builds with ninja.
override HOST_MESON_DEPENDENCIES = host-ninja

# --- The machine's own Rust, for its own kind of machine only.
HOST_RUST_BIN_OVERRIDE_SRCDIR = $(PLATEN_REGISTRY)/nothing
override HOST_RUST_BIN_POST_EXTRACT_HOOKS =
override HOST_RUST_BIN_LICENSE_FILES =
override HOST_RUST_BIN_REDISTRIBUTE = NO
override HOST_RUST_BIN_INSTALL_CMDS = mkdir -p $(HOST_DIR)/bin $(foreach program,cargo rustc rustdoc,&& ln -sf $(PLATEN_RUST)/bin/$(program) $(HOST_DIR)/bin/$(program))

# --- GRUB, compiled by the distribution: the folder of each firmware holds what Buildroot's own build leaves there.
override GRUB2_DEPENDENCIES = host-grub2
override GRUB2_OVERRIDE_SRCDIR = $(PLATEN_REGISTRY)/nothing
override GRUB2_LICENSE_FILES =
override GRUB2_REDISTRIBUTE = NO
override GRUB2_CONFIGURE_CMDS = mkdir -p $(@D)/build-i386-pc $(@D)/build-x86_64-efi
override GRUB2_BUILD_CMDS = ln -sfn /usr/lib/grub/i386-pc $(@D)/build-i386-pc/grub-core && ln -sfn /usr/lib/grub/x86_64-efi $(@D)/build-x86_64-efi/grub-core

# --- Sources that the distribution has in another form or version than Buildroot asks for: unpacked, with those of
# Buildroot's patches that are for them.
LINUX_OVERRIDE_SRCDIR = $(PLATEN_REGISTRY)/sources/linux
E2FSPROGS_OVERRIDE_SRCDIR = $(PLATEN_REGISTRY)/sources/e2fsprogs
EUDEV_OVERRIDE_SRCDIR = $(PLATEN_REGISTRY)/sources/eudev
KMOD_OVERRIDE_SRCDIR = $(PLATEN_REGISTRY)/sources/kmod
LIBFFI_OVERRIDE_SRCDIR = $(PLATEN_REGISTRY)/sources/libffi
LIBGLIB2_OVERRIDE_SRCDIR = $(PLATEN_REGISTRY)/sources/libglib2
LIBZLIB_OVERRIDE_SRCDIR = $(PLATEN_REGISTRY)/sources/libzlib
PCRE2_OVERRIDE_SRCDIR = $(PLATEN_REGISTRY)/sources/pcre2
