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

# CPack finds the libraries a package depends on with file(1) and dpkg-dev.
# Without them it is their names in Debian 12.
find_program(FILE_PROGRAM file)
find_program(SHLIBDEPS_PROGRAM dpkg-shlibdeps)
if(NOT FILE_PROGRAM OR NOT SHLIBDEPS_PROGRAM)
    set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS OFF)
    string(APPEND CPACK_DEBIAN_PACKAGE_DEPENDS ", libc-ares2, libc6 (>= 2.34)"
        ", libconfig9, libidn2-0, libjansson4, liblmdb0, libpcre2-8-0, libpsl5"
        ", libssl3, libuv1")
endif()

# For install.cmake.
set(ENV{ONWARD_PACK} ${CPACK_GENERATOR})
