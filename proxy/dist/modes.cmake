# Run by cpack on what it is about to pack: directories are everybody's to
# enter, whatever the umask of the builder.
execute_process(COMMAND find ${CPACK_TEMPORARY_DIRECTORY} -type d
    -exec chmod 0755 {} +)
