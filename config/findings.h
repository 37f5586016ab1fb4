/* config/findings.h: collecting findings inside config/. */
#ifndef YETT_CONFIG_FINDINGS_H
#define YETT_CONFIG_FINDINGS_H

#include "config/config.h"

/* Put what was found since `first` into the order of the files and their lines; equal places keep their order. */
void findings_sort(struct config_findings *findings, size_t first, char *const *files, size_t file_count);

#endif
