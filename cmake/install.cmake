# cmake --install: the program, both libraries, the header, a pkg-config file, a CMake package, the manual page.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/canonnx)

install(TARGETS canonnx RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS canonnx_shared canonnx_static EXPORT canonnx
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/canonnx.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES docs/canonnx.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

file(RELATIVE_PATH PREFIX_FROM_PC /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/canonnx.pc.in canonnx.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/canonnx.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(EXPORT canonnx FILE canonnxTargets.cmake NAMESPACE canonnx:: DESTINATION ${package_dir})
configure_package_config_file(cmake/canonnxConfig.cmake.in canonnxConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(canonnxConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/canonnxConfig.cmake ${PROJECT_BINARY_DIR}/canonnxConfigVersion.cmake
        DESTINATION ${package_dir})
