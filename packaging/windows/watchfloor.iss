; Inno Setup 6 script for the lean program. WRITTEN, NOT TRIED: nobody has built or run it on Windows yet.
;
;   python dev.py bundle
;   iscc packaging\windows\watchfloor.iss            -> dist\watchfloor-setup.exe
;   watchfloor-setup.exe /VERYSILENT /SUPPRESSMSGBOXES /NORESTART /LOG=setup.log
;
; For the whole machine; the data of each user, and %ProgramData%\Watchfloor, stay when it is removed.
; Sign dist\watchfloor\*.exe and the set-up with an RFC 3161 time stamp before they leave the house.

#define Version "0.1.0"
#define Root "..\.."

[Setup]
AppId={{6B0F1C0E-53A4-4B7E-9E7B-0C5B8E0C7D41}
AppName=Watchfloor
AppVersion={#Version}
DefaultDirName={autopf}\Watchfloor
DefaultGroupName=Watchfloor
PrivilegesRequired=admin
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
LicenseFile={#Root}\LICENSE
OutputDir={#Root}\dist
OutputBaseFilename=watchfloor-setup
Compression=lzma2/max
SolidCompression=yes
CloseApplications=yes
RestartApplications=no
SetupLogging=yes
UninstallDisplayIcon={app}\watchfloor.exe
WizardStyle=modern

[Dirs]
Name: "{commonappdata}\Watchfloor"; Permissions: users-readexec; Flags: uninsneveruninstall

[Files]
Source: "{#Root}\dist\watchfloor\*"; DestDir: "{app}"; Flags: recursesubdirs createallsubdirs ignoreversion
Source: "{#Root}\packaging\watchfloor-provision.example.toml"; DestDir: "{app}"; Flags: ignoreversion
; A file that an administrator laid beside the set-up becomes the machine's settings, and is never overwritten.
Source: "{src}\watchfloor-provision.toml"; DestDir: "{commonappdata}\Watchfloor"; DestName: "watchfloor.toml"; \
    Flags: external skipifsourcedoesntexist onlyifdoesntexist uninsneveruninstall

[InstallDelete]
; Libraries of the version before would be loaded beside the new ones.
Type: filesandordirs; Name: "{app}\_internal"

[Icons]
Name: "{group}\Watchfloor"; Filename: "{app}\watchfloor.exe"; \
    Parameters: "--settings ""{commonappdata}\Watchfloor\watchfloor.toml"""; Check: HasMachineSettings
Name: "{group}\Watchfloor"; Filename: "{app}\watchfloor.exe"; Check: not HasMachineSettings
Name: "{group}\Watchfloor demonstration"; Filename: "{app}\watchfloor.exe"; Parameters: "--demo"

[Run]
; What it finds goes to the set-up's log; a failed check does not undo the installation.
Filename: "{app}\watchfloor-node.exe"; Parameters: "self-test"; Flags: runhidden logoutput; \
    StatusMsg: "Checking this machine"

[Code]
function HasMachineSettings: Boolean;
begin
  Result := FileExists(ExpandConstant('{commonappdata}\Watchfloor\watchfloor.toml'));
end;
