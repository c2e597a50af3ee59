# Read by cpack before it packs: times of files are those of the last entry of
# the changelog, unless the environment says otherwise.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
    execute_process(
        COMMAND sed -n "s/^ -- .*>  //p"
            "${CMAKE_CURRENT_LIST_DIR}/deb/changelog"
        COMMAND head -n 1
        COMMAND date -u -f - +%s
        OUTPUT_VARIABLE epoch OUTPUT_STRIP_TRAILING_WHITESPACE)
    set(ENV{SOURCE_DATE_EPOCH} ${epoch})
endif()
