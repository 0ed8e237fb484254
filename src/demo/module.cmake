holdfast_module(demo
  SOURCES checks.cc ledger_client.cc load.cc page.cc progress.cc report.cc sandbox_sites.cc site_view.cc story.cc
  DEPS base config crypto velero net kube sandbox
  TESTS checks_test.cc report_test.cc site_view_test.cc)
