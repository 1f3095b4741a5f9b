extension GuideDocument {
    /// Hubbub's own documentation, which is part of the binary.
    public static let builtIn: [GuideDocument] = [
        GuideDocument(name: "connecting-a-model.md", bytes: PackageResources.connecting_a_model_md),
        GuideDocument(name: "http-api.md", bytes: PackageResources.http_api_md),
        GuideDocument(name: "limits-and-errors.md", bytes: PackageResources.limits_and_errors_md),
        GuideDocument(name: "operating.md", bytes: PackageResources.operating_md),
        GuideDocument(name: "resume-and-recovery.md", bytes: PackageResources.resume_and_recovery_md),
        GuideDocument(name: "running.md", bytes: PackageResources.running_md),
        GuideDocument(name: "stopping-an-answer.md", bytes: PackageResources.stopping_an_answer_md),
        GuideDocument(name: "websocket-protocol.md", bytes: PackageResources.websocket_protocol_md),
        GuideDocument(name: "what-is-hubbub.md", bytes: PackageResources.what_is_hubbub_md),
    ]
}
