extension GuideDocument {
    /// Hubbub's own documentation, which is part of the binary, in the order in which it introduces the hub.
    public static let builtIn: [GuideDocument] = [
        GuideDocument(name: "what-is-hubbub", bytes: PackageResources.what_is_hubbub_md),
        GuideDocument(name: "running", bytes: PackageResources.running_md),
        GuideDocument(name: "connecting-a-model", bytes: PackageResources.connecting_a_model_md),
        GuideDocument(name: "stopping-an-answer", bytes: PackageResources.stopping_an_answer_md),
        GuideDocument(name: "resume-and-recovery", bytes: PackageResources.resume_and_recovery_md),
        GuideDocument(name: "websocket-protocol", bytes: PackageResources.websocket_protocol_md),
        GuideDocument(name: "http-api", bytes: PackageResources.http_api_md),
        GuideDocument(name: "limits-and-errors", bytes: PackageResources.limits_and_errors_md),
        GuideDocument(name: "operating", bytes: PackageResources.operating_md),
    ]
}
