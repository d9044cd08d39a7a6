################################################################################
#
# wimlib
#
################################################################################

WIMLIB_VERSION = 1.14.4
WIMLIB_SITE = https://wimlib.net/downloads
WIMLIB_LICENSE = LGPL-3.0+ or GPL-3.0+
WIMLIB_LICENSE_FILES = COPYING COPYING.GPLv3
WIMLIB_INSTALL_STAGING = YES
WIMLIB_DEPENDENCIES = host-pkgconf
WIMLIB_CONF_OPTS = --without-ntfs-3g --without-fuse

$(eval $(autotools-package))
