# Runs when it is installed: units, account and directories with the paths of
# this prefix, and the configuration.

# Units. Debian's own directory under /usr, else where systemd looks under a
# prefix.
set(units /lib/systemd/system)
if(NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    set(units ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
endif()
file(GLOB sources ${dist}/systemd/onward*)
foreach(source ${sources})
    get_filename_component(name ${source} NAME)
    file(READ ${source} text)
    string(REPLACE "/usr/sbin/" "${CMAKE_INSTALL_PREFIX}/${sbin}/"
        text "${text}")
    string(REPLACE "/usr/libexec/" "${CMAKE_INSTALL_PREFIX}/${libexec}/"
        text "${text}")
    file(WRITE ${work}/units/${name} "${text}")
    file(INSTALL ${work}/units/${name} DESTINATION ${units}
        PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endforeach()

foreach(kind sysusers tmpfiles)
    file(INSTALL ${dist}/systemd/${kind}.conf
        DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/${kind}.d
        RENAME onward.conf)
endforeach()

# The program looks for its configuration in /etc, whatever the prefix. One
# that is there is somebody's.
if(NOT EXISTS "$ENV{DESTDIR}/etc/onward/onward.conf")
    file(INSTALL ${dist}/onward.conf DESTINATION /etc/onward)
endif()
