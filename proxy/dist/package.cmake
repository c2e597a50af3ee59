# cpack -G DEB, cpack -G RPM. The same sources give the same octets, wherever
# they are built.
set(CPACK_PACKAGE_NAME onward)
set(CPACK_PACKAGE_VENDOR "The Onward authors")
# There is no address that all who build this could give: whoever distributes
# the package gives the one where its users find somebody. The default cannot
# be mistaken for such an address (RFC 2606).
set(ONWARD_MAINTAINER "The Onward authors <onward@onward.invalid>" CACHE STRING
    "who answers for the packages: NAME <ADDRESS>")
set(CPACK_PACKAGE_CONTACT "${ONWARD_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY
    "forwarding, SRS and DKIM proxy for Postfix")
set(CPACK_PACKAGE_DESCRIPTION
"Onward stands between two smtpd services of one Postfix
(smtpd_proxy_filter). It rewrites recipients by aliases, the envelope
sender of what leaves by SRS, brings bounces home, signs with DKIM, and
hands each session back to Postfix. It has no queue: it never acknowledges
what Postfix has not.")
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_LIST_DIR}/pack.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/modes.cmake)

set(scripts ${CMAKE_CURRENT_LIST_DIR}/deb)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION mail)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
# The libraries are added by pack.cmake, which needs the program for it.
set(CPACK_ONWARD_PROGRAM ${CMAKE_BINARY_DIR}/proxy/onward)
set(CPACK_ONWARD_WORK ${CMAKE_CURRENT_BINARY_DIR})
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_PACKAGE_DEPENDS
    "systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "postfix, publicsuffix")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "postfix-cdb, postfix-lmdb")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/conffiles /etc/onward/onward.conf\n)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${scripts}/postinst ${scripts}/prerm
    ${scripts}/postrm ${CMAKE_CURRENT_BINARY_DIR}/conffiles)

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE BSD-2-Clause)
set(CPACK_RPM_PACKAGE_GROUP "System Environment/Daemons")
set(CPACK_RPM_PACKAGE_REQUIRES systemd)
set(CPACK_RPM_PACKAGE_AUTOREQ ON)
set(CPACK_RPM_USER_FILELIST "%config(noreplace) /etc/onward/onward.conf")
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE
    ${CMAKE_CURRENT_LIST_DIR}/rpm/post)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE
    ${CMAKE_CURRENT_LIST_DIR}/rpm/preun)
set(CPACK_PACKAGE_RELOCATABLE OFF)
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _build_id_links none")
# Directories of other packages.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /etc /usr/sbin
    /usr/lib/systemd /usr/lib/systemd/system /usr/lib/sysusers.d
    /usr/lib/tmpfiles.d /usr/libexec /usr/share/man /usr/share/man/man1
    /usr/share/man/man5 /usr/share/man/man8 /usr/share/zsh
    /usr/share/zsh/vendor-completions /usr/share/bash-completion
    /usr/share/bash-completion/completions)

include(CPack)
