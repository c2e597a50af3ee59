# Read by cpack before it packs. Times of files are those of the last entry of
# the changelog, unless the environment says otherwise: the same sources give
# the same octets.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
    execute_process(
        COMMAND sed -n "s/^ -- .*>  //p"
            "${CMAKE_CURRENT_LIST_DIR}/deb/changelog"
        COMMAND head -n 1
        COMMAND date -u -f - +%s
        OUTPUT_VARIABLE epoch OUTPUT_STRIP_TRAILING_WHITESPACE)
    set(ENV{SOURCE_DATE_EPOCH} ${epoch})
endif()

# The Debian packages of the libraries that the program is linked with, by the
# names that they have on this system. CPack's own way needs file(1), which a
# minimal Debian does not have, and leaves the libraries out without it.
if(CPACK_GENERATOR STREQUAL "DEB")
    find_program(SHLIBDEPS_PROGRAM dpkg-shlibdeps)
    if(NOT SHLIBDEPS_PROGRAM)
        message(FATAL_ERROR "cpack -G DEB: dpkg-shlibdeps is missing, which "
            "names the libraries that the package needs: apt-get install "
            "dpkg-dev")
    endif()
    file(WRITE ${CPACK_ONWARD_WORK}/debian/control
        "Source: onward\n\nPackage: onward\nArchitecture: any\n")
    execute_process(
        COMMAND ${SHLIBDEPS_PROGRAM} -O ${CPACK_ONWARD_PROGRAM}
        WORKING_DIRECTORY ${CPACK_ONWARD_WORK}
        OUTPUT_VARIABLE libraries ERROR_VARIABLE said RESULT_VARIABLE result
        OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT result EQUAL 0 OR NOT libraries MATCHES "^shlibs:Depends=(.+)$")
        message(FATAL_ERROR "cpack -G DEB: dpkg-shlibdeps cannot name the "
            "libraries that the package needs:\n${said}")
    endif()
    string(APPEND CPACK_DEBIAN_PACKAGE_DEPENDS ", ${CMAKE_MATCH_1}")
endif()
