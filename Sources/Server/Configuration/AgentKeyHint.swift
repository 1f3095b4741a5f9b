/// Where the keys belong that other programs have in an agent.
enum AgentKeyHint {
    static let ofModels: [String: String] = {
        var hints = [
            "api_key": #"put the key into an environment variable, and name that: "api_key_env": "MODEL_API_KEY""#,
            "url": "the server's address is base_url", "api_base": "the server's address is base_url",
            "endpoint": "the server's address is base_url",
            "system": "what the model is told first is system_prompt",
            "prompt": "what the model is told first is system_prompt",
            "name": "the agent's name is agent_type", "command": #"that is for "connector": "command""#,
            "docs": #"that is for "connector": "guide""#,
        ]
        for name in ["apikey", "apiKey", "key", "token"] { hints[name] = hints["api_key"] }
        for name in parameters {
            hints[name] = #"what the model's server is to get belongs into "parameters": {"\#(name)": …}"#
        }
        return hints
    }()

    static let ofCommands = [
        "args": #"the program and its arguments are one list: "command": ["python3", "agent.py"]"#,
        "arguments": #"the program and its arguments are one list: "command": ["python3", "agent.py"]"#,
        "environment": #"the program's variables are "env": {"NAME": "value"}, and "pass_env": ["NAME"]"#,
        "cwd": "a program runs in the hub's directory", "name": "the agent's name is agent_type",
        "docs": #"that is for "connector": "guide""#,
    ]

    /// Members of the request's body that the models' servers know.
    private static let parameters = [
        "temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "stop", "stop_sequences",
        "seed", "n", "presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias", "logprobs",
        "reasoning_effort", "reasoning", "thinking", "response_format", "tools", "tool_choice", "user", "metadata",
        "service_tier", "stream", "stream_options",
    ]
}
