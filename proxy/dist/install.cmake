# Runs when it is installed: units, account and directories with the paths of
# this prefix, and the configuration.

function(install_here source destination)
    get_filename_component(name ${source} NAME)
    file(READ ${source} text)
    string(REPLACE "/usr/sbin/" "${CMAKE_INSTALL_PREFIX}/${sbin}/"
        text "${text}")
    string(REPLACE "/usr/libexec/" "${CMAKE_INSTALL_PREFIX}/${libexec}/"
        text "${text}")
    file(WRITE ${work}/here/${name} "${text}")
    file(INSTALL ${work}/here/${name} DESTINATION ${destination}
        PERMISSIONS ${ARGN})
endfunction()

# Units: where systemd looks under this prefix. For packages that is
# /usr/lib/systemd/system, which is the same as /lib/systemd/system since
# Debian 12, and the one of both names that Debian 13 allows.
set(units ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
file(GLOB sources ${dist}/systemd/onward*)
foreach(source ${sources})
    install_here(${source} ${units}
        OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endforeach()
install_here(${dist}/onward-rotate
    ${CMAKE_INSTALL_PREFIX}/${libexec}/onward
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)

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
