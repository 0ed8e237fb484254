# The program itself: its verbs as a library, for their tests, and main. A verb is one file of cli/ and one line in root.cc.
holdfast_module(app
  SOURCES
    cli/apply.cc
    cli/backup.cc
    cli/backup_flags.cc
    cli/backup_inspect.cc
    cli/backup_location.cc
    cli/cluster.cc
    cli/completion.cc
    cli/controller.cc
    cli/debug.cc
    cli/demo.cc
    cli/docs.cc
    cli/download.cc
    cli/install.cc
    cli/kit.cc
    cli/kit_command.cc
    cli/metrics_endpoint.cc
    cli/node_agent.cc
    cli/open_files.cc
    cli/output.cc
    cli/password_use.cc
    cli/repo.cc
    cli/repo_backup.cc
    cli/repo_get.cc
    cli/repo_maintain.cc
    cli/repo_restore.cc
    cli/repo_session.cc
    cli/repo_view.cc
    cli/restore.cc
    cli/restore_helper.cc
    cli/restore_inspect.cc
    cli/root.cc
    cli/sandbox.cc
    cli/schedule.cc
    cli/selection.cc
    cli/signals.cc
    cli/surroundings.cc
    cli/uninstall.cc
    cli/verb_first.cc
    cli/version.cc
  DEPS base config crypto velero net objstore kube repo install location node control sandbox demo
  LIBS PkgConfig::ARCHIVE
  TESTS cli/create_test.cc cli/golden_test.cc cli/install_test.cc cli/kit_test.cc cli/root_test.cc)

holdfast_program(holdfast SOURCES src/app/main.cc DEPS app)

holdfast_fuzz(recovery_kit recovery_kit_fuzz.cc DEPS app)
