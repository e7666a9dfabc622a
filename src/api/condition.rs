//! Conditions, as every Kubernetes user knows them.

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
