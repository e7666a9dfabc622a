//! What is not known of the real platform: reading is right in every pair of positions.

use super::{Workplace, started, with};
use stablekey_platform::{Platform, Region, Switches, seed};

#[test]
fn an_import_is_complete_in_every_pair_of_positions() {
    std::thread::scope(|scope| {
        for switches in Switches::pairs() {
            scope.spawn(move || {
                let us = with(Region::Us, switches);
                let ours = Workplace::with_profiles(&[("us", &us)]);
                ours.import("us-prod", &us, "us").exits(0).prints("8 connections");
                ours.plan(&[]).exits(0).does_not_print("SK0101").does_not_print("SK0105").does_not_print("SK0127");
            });
        }
    });
}

/// An older stack refuses fields that it does not know: they are left out, and the rest is read.
#[test]
fn fields_that_a_stack_does_not_know_are_left_out() {
    let store = || seed::every_kind(Region::Us).unwrap();
    let fields = [
        "ScopedConfigVariable.status",
        "ScopedConfigVariable.authorizeUrl",
        "ScopedConfigVariable.lastSuccessfulRefreshAt",
        "ScopedConfigVariable.customers",
        "ScopedConfigVariable.instances",
        "ScopedConfigVariable.customerConfigVariables(isTest)",
        "ScopedConfigVariable.defaultForComponent",
        "Integration.instances",
        "Integration.isCodeNative",
        "RootQuery.workflows",
        "RootQuery.customers",
    ];
    let all = fields.iter().fold(Platform::new(store()).suggestions(), |platform, field| platform.without(field));
    let each = fields.iter().map(|field| Platform::new(store()).without(field));
    std::thread::scope(|scope| {
        for platform in each.chain([all]) {
            scope.spawn(move || {
                let us = started(platform);
                let ours = Workplace::with_profiles(&[("us", &us)]);
                ours.import("us-prod", &us, "us").exits(0);
                ours.plan(&[]).exits(0).does_not_print("status unknown");
            });
        }
    });
}

/// A field that nothing can do without is an error, not an empty list.
#[test]
fn a_stack_without_what_is_needed_is_an_error() {
    let us = started(Platform::new(seed::every_kind(Region::Us).unwrap()).without("ScopedConfigVariable.stableKey"));
    let ours = Workplace::with_profiles(&[("us", &us)]);
    let import = ours.import("us-prod", &us, "us").exits(1);
    import.prints("it does not know ScopedConfigVariable.stableKey: it is older than what stablekey reads");
}

/// Late reads, as of a replica, only show an older state.
#[test]
fn the_order_of_the_platform_does_not_matter() {
    let us = started(Platform::new(seed::large(230, 2).unwrap()).unstable_order());
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0).prints("230 connections");
    ours.plan(&[]).exits(0);
}
